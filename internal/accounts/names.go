package accounts

import (
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pawl-ci/pawl/internal/fault"
)

// The lengths of names and texts, in characters.
const (
	MaxLogin       = 40
	MaxRepoName    = 100
	MaxFullName    = 100
	MaxEmail       = 254
	MaxDescription = 2048
	MaxTokenName   = 255
)

var (
	loginPattern = regexp.MustCompile(`^[0-9A-Za-z](?:[-._]?[0-9A-Za-z])*$`)
	repoPattern  = regexp.MustCompile(`^[-._0-9A-Za-z]+$`)
)

// reservedLogins are the first parts of paths that the server answers itself, and the names of accounts that are none.
var reservedLogins = []string{
	"-", "admin", "api", "assets", "avatar", "avatars", "captcha", "commits", "debug", "devtest", "error", "events",
	"explore", "favicon.ico", "ghost", "gitea-actions", "healthz", "issues", "livez", "login", "logout", "manifest.json",
	"metrics", "milestones", "new", "notifications", "org", "pulls", "raw", "readyz", "repo", "repo-avatars", "robots.txt",
	"search", "serviceworker.js", "ssh_info", "static", "swagger.v1.json", "twirp", "user", "v2",
}

// reservedEndings belong to addresses made of a name: the git repository, its wiki, keys and feeds.
var reservedEndings = []string{".git", ".wiki", ".keys", ".gpg", ".rss", ".atom"}

var reservedRepoNames = []string{".", "..", "-"}

// CheckLogin tells whether a user or organization may have this name: up to 40 letters, digits, and single '-', '_', '.'
// between them, and not reserved. The comparison with others ignores case. Fault: 422 naming the field Username.
func CheckLogin(name string) error {
	switch lower := strings.ToLower(name); {
	case name == "":
		return fault.Unprocessable("Required").In("Username")
	case len(name) > MaxLogin:
		return fault.Unprocessable("MaxSize(%d)", MaxLogin).In("Username")
	case !loginPattern.MatchString(name):
		return fault.Unprocessable("use letters and digits, with single '-', '_' or '.' between them").In("Username")
	case slices.Contains(reservedLogins, lower) || hasReservedEnding(lower):
		return fault.Unprocessable("name is reserved").In("Username")
	}
	return nil
}

// CheckRepoName tells whether a repository may have this name: up to 100 letters, digits, '-', '_', '.', and not
// reserved (rest-api.md §10). Fault: 422 naming the field Name.
func CheckRepoName(name string) error {
	switch lower := strings.ToLower(name); {
	case name == "":
		return fault.Unprocessable("Required").In("Name")
	case len(name) > MaxRepoName:
		return fault.Unprocessable("MaxSize(%d)", MaxRepoName).In("Name")
	case !repoPattern.MatchString(name):
		return fault.Unprocessable("AlphaDashDot").In("Name")
	case slices.Contains(reservedRepoNames, lower) || hasReservedEnding(lower):
		return fault.Unprocessable("name is reserved").In("Name")
	}
	return nil
}

func hasReservedEnding(lower string) bool {
	return slices.ContainsFunc(reservedEndings, func(end string) bool { return strings.HasSuffix(lower, end) })
}

// CheckEmail tells whether an address is one, without a display name. Fault: 422 naming the field Email.
func CheckEmail(email string) error {
	parsed, err := mail.ParseAddress(email)
	if err != nil || parsed.Address != email || len(email) > MaxEmail || !ValidText(email) {
		return fault.Unprocessable("Email").In("Email")
	}
	return nil
}

// CheckText bounds a free text and refuses what the database cannot hold. Fault: 422 naming the field.
func CheckText(field, text string, limit int) error {
	switch {
	case !ValidText(text):
		return fault.Unprocessable("is not valid text").In(field)
	case utf8.RuneCountInString(text) > limit:
		return fault.Unprocessable("MaxSize(%d)", limit).In(field)
	}
	return nil
}

// ValidText tells whether Postgres can hold s as text: UTF-8 without NUL.
func ValidText(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }
