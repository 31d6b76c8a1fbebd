package apiserver

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// actionOf is the name in the audit log of what a route does, such as run.cancel or org.secret.set; empty for a route whose
// calls are not recorded, because it only reads. It follows from method and path, so that no new route is forgotten:
// the level, unless it is a repository; the things that the path names; the verb. A test holds that all names are distinct.
func actionOf(method, path string) string {
	path = parameterPattern.ReplaceAllString(path, "{$1}")
	if name, special := specialActions[method+" "+path]; special {
		return name
	}
	if method == http.MethodGet && !strings.HasSuffix(path, "/registration-token") {
		return ""
	}
	level, rest := cutLevel(path)
	words := append(nonEmpty(level), thingsOf(method, rest)...)
	if verb := methodVerbs[method]; rest == "" && level == "" {
		return "repo." + verb
	} else if !endsInVerb(method, rest) {
		words = append(words, verb)
	}
	return strings.ReplaceAll(strings.Join(words, "."), "_", "-")
}

// parameterPattern is a parameter that says what it may be.
var parameterPattern = regexp.MustCompile(`\{(\w+):[^}]*\}`)

// specialActions are those that the rule would misname. Empty: the route reads, although its method does not say so.
var specialActions = map[string]string{
	"POST /{owner}/{repo}/git-upload-pack":                                  "",
	"POST /{owner}/{repo}/git-receive-pack":                                 "git.push",
	"POST /{owner}/{repo}/actions/runs/{run}":                               "", // what the page of a run polls
	"POST /{owner}/{repo}/actions/runs/{run}/jobs/{job}":                    "",
	"POST /{owner}/{repo}/actions/runs/{run}/attempts/{attempt}":            "",
	"POST /{owner}/{repo}/actions/runs/{run}/jobs/{job}/attempts/{attempt}": "",
	"POST /repos/{owner}/{repo}/actions/runs/{run}/pending_deployments":     "deployment.review",
	"POST /repos/{owner}/{repo}/actions/runs/{run}/rerun-failed-jobs":       "run.rerun-failed-jobs",
	"POST /repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches": "workflow.dispatch",
}

var methodVerbs = map[string]string{
	http.MethodGet: "read", http.MethodPost: "create", http.MethodPut: "set", http.MethodPatch: "edit", http.MethodDelete: "delete",
}

// levels are the beginnings of paths, and what they add to a name. A repository adds nothing.
var levels = []struct{ prefix, name string }{
	{"/repos/{owner}/{repo}", ""}, {"/orgs/{org}", "org"}, {"/users/{username}", "user"}, {"/user", "user"}, {"/admin", "admin"},
	{"/{owner}/{repo}", "web"},
}

func cutLevel(path string) (name, rest string) {
	for _, l := range levels {
		if rest, found := strings.CutPrefix(path, l.prefix); found && (rest == "" || rest[0] == '/') {
			return l.name, strings.TrimPrefix(rest, "/actions")
		}
	}
	return "", path
}

// thingsOf are the words of a path, each in the singular but before a verb that is about all of them.
func thingsOf(method, path string) []string {
	segments := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	var words []string
	for i, s := range segments {
		allOfThem := i == len(segments)-2 && isVerb(method, segments[i+1])
		switch {
		case isParameter(s):
		case allOfThem:
			words = append(words, s)
		default:
			words = append(words, singular(s))
		}
	}
	return words
}

// endsInVerb tells whether the path says itself what is done: .../{run}/cancel.
func endsInVerb(method, path string) bool {
	return isVerb(method, path[strings.LastIndexByte(path, '/')+1:])
}

// nouns are last words in the singular that are no verbs.
var nouns = []string{"registration-token"}

func isVerb(method, word string) bool {
	acts := method == http.MethodPost || method == http.MethodPut
	return acts && word != "" && !isParameter(word) && singular(word) == word && !slices.Contains(plurals, word) && !slices.Contains(nouns, word)
}

// plurals have no other singular.
var plurals = []string{"settings"}

func singular(word string) string {
	stem, found := strings.CutSuffix(word, "s")
	switch {
	case !found || strings.HasSuffix(stem, "s") || slices.Contains(plurals, word):
		return word
	case strings.HasSuffix(stem, "ie"):
		return strings.TrimSuffix(stem, "ie") + "y"
	case strings.HasSuffix(stem, "che") || strings.HasSuffix(stem, "sse") || strings.HasSuffix(stem, "use"):
		return strings.TrimSuffix(stem, "e")
	}
	return stem
}

func isParameter(segment string) bool { return strings.HasPrefix(segment, "{") }

func nonEmpty(word string) []string {
	if word == "" {
		return nil
	}
	return []string{word}
}
