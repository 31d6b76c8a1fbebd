// Package accounts holds the rules for users, organizations, access tokens and repositories: which names are allowed,
// how passwords are kept and checked, what a token's scopes permit. The API server and `pawl admin` make accounts
// through it, so that both follow the same rules.
//
// Errors are faults (package fault): 422 with the field for input that breaks a rule, 409 or 422 for a name that is
// taken, as Gitea answers.
package accounts
