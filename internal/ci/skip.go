package ci

import (
	"regexp"
	"strings"
)

// skipWords keep workflows from starting (execution-semantics.md §9.4). They are case-sensitive.
var skipWords = [...]string{"[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[actions skip]"}

// skipTrailer is GitHub's trailer, on a line of its own at the end of a message.
var skipTrailer = regexp.MustCompile(`\n\nskip-checks: *true\s*\z`)

// HasSkipWord reports whether a commit message asks for no workflows: by a skip word anywhere in it, or by
// the trailer `skip-checks: true`.
func HasSkipWord(message string) bool {
	for _, word := range skipWords {
		if strings.Contains(message, word) {
			return true
		}
	}
	return skipTrailer.MatchString(strings.ReplaceAll(message, "\r\n", "\n"))
}

// SkipsRun reports whether an event is skipped by the message of its head commit or, for pull requests, by
// their title. Only pushes and new or changed pull requests can be skipped: a comment on a pull request
// whose commit said `[skip ci]` still counts (execution-semantics.md §9.4).
func SkipsRun(event, action, commitMessage, title string) bool {
	switch event {
	case "push":
		return HasSkipWord(commitMessage)
	case "pull_request", "pull_request_target":
		return skippableAction(action) && (HasSkipWord(commitMessage) || HasSkipWord(title))
	}
	return false
}

func skippableAction(action string) bool {
	switch action {
	case "opened", "reopened", "synchronize", "synchronized":
		return true
	}
	return false
}
