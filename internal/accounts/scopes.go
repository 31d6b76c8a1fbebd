package accounts

import (
	"slices"
	"strings"

	"github.com/pawl-ci/pawl/internal/fault"
)

// Category is what a part of the API is about; the scopes of a token are given by category (rest-api.md §1.2).
type Category string

// The categories that Pawl's API has. Tokens may carry scopes of the others, which permit nothing here.
const (
	CategoryAdmin        Category = "admin"
	CategoryOrganization Category = "organization"
	CategoryRepository   Category = "repository"
	CategoryUser         Category = "user"
)

const (
	scopeAll        = "all"
	scopePublicOnly = "public-only"
)

var categories = []Category{
	"activitypub", CategoryAdmin, "issue", "misc", "notification", CategoryOrganization, "package", CategoryRepository, CategoryUser,
}

// Scopes are the scopes of a token.
type Scopes []string

// ParseScopes checks and sorts the scopes of a new token. Fault: 400 for none, and for an unknown one.
func ParseScopes(words []string) (Scopes, error) {
	var out Scopes
	for _, word := range words {
		word = strings.TrimSpace(word)
		if !validScope(word) {
			return nil, fault.BadRequest("invalid access token scope provided: %q", shown(word))
		}
		out = append(out, word)
	}
	slices.Sort(out)
	out = slices.Compact(out)
	if len(out) == 0 || (len(out) == 1 && out[0] == scopePublicOnly) {
		return nil, fault.BadRequest("access token must have a scope")
	}
	return out, nil
}

func validScope(word string) bool {
	if word == scopeAll || word == scopePublicOnly {
		return true
	}
	level, category, _ := strings.Cut(word, ":")
	return (level == "read" || level == "write") && slices.Contains(categories, Category(category))
}

// shown keeps an error message short.
func shown(word string) string {
	if len(word) > 64 {
		return strings.ToValidUTF8(word[:64], "") + "..."
	}
	return word
}

// Allow tells whether the scopes permit reading, or writing, in a category. Write implies read.
func (s Scopes) Allow(c Category, write bool) bool {
	if slices.Contains(s, scopeAll) || slices.Contains(s, "write:"+string(c)) {
		return true
	}
	return !write && slices.Contains(s, "read:"+string(c))
}

// PublicOnly tells whether the token may see public things only.
func (s Scopes) PublicOnly() bool { return slices.Contains(s, scopePublicOnly) }

// String lists the scopes as error messages show them.
func (s Scopes) String() string { return strings.Join(s, ",") }
