package vault

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/pawl-ci/pawl/internal/fault"
)

// Limits of one secret or variable (rest-api.md §8).
const (
	maxSecretBytes      = 65_536
	maxVariableRunes    = 65_536
	maxDescriptionRunes = 4096
	maxNameBytes        = 255
	textDataTooLong     = "data too long"
	textDataInvalid     = "data is not valid text"
)

var namePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// CheckName returns the name of a secret or variable as it is stored. Fault: 400 for one that breaks the rules, which
// are the same for both (rest-api.md §8).
func CheckName(name string) (string, error) {
	upper := strings.ToUpper(name)
	if len(name) > maxNameBytes || !namePattern.MatchString(name) || upper == "CI" ||
		strings.HasPrefix(upper, "GITEA_") || strings.HasPrefix(upper, "GITHUB_") {
		return "", fault.BadRequest("invalid variable or secret name")
	}
	return upper, nil
}

// checkSecretValue refuses what no runner could be sent.
func checkSecretValue(value string) error {
	switch {
	case value == "":
		return fault.Unprocessable("Required").In("Data")
	case len(value) > maxSecretBytes:
		return fault.BadRequest(textDataTooLong)
	case !utf8.ValidString(value) || strings.ContainsRune(value, 0):
		return fault.BadRequest(textDataInvalid)
	}
	return nil
}

func checkVariableValue(value string) error {
	switch {
	case value == "":
		return fault.Unprocessable("Required").In("Value")
	case utf8.RuneCountInString(value) > maxVariableRunes:
		return fault.BadRequest(textDataTooLong)
	case !utf8.ValidString(value) || strings.ContainsRune(value, 0):
		return fault.BadRequest(textDataInvalid)
	}
	return nil
}

// shorten cuts a description.
func shorten(description string) string {
	n := 0
	for i := range description {
		if n == maxDescriptionRunes {
			return description[:i]
		}
		n++
	}
	return description
}
