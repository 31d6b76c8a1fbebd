package apiserver

import (
	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/accounts"
)

// identity is who calls, and what the credentials permit.
type identity struct {
	user *db.Owner // nil: anonymous
	// scopes limit what a personal access token may do; nil limits nothing.
	scopes accounts.Scopes
	// token is the personal access token, if it was one.
	token *db.AccessToken
	// sudoer is the site admin who acts as the user.
	sudoer *db.Owner
	// key is whose calls the rate limit counts together.
	key string
	// task is set when the caller is a task, which may write to its own repository and read public ones.
	task *db.TaskToken
	// password: the caller knows the user's password.
	password bool
}

func (i identity) anonymous() bool { return i.user == nil }

// userID is 0 for nobody, and for tasks, which have no standing but the one of their token.
func (i identity) userID() int64 {
	if i.user == nil || i.task != nil {
		return 0
	}
	return i.user.ID
}

// access is what the caller may do in a repository.
func (i identity) access(repo *db.Repository, s db.Standing) db.Access {
	access := repo.Access(i.user, s)
	if i.task != nil && i.task.RepoID == repo.ID {
		access = db.Access{Permission: db.PermissionWrite}
	}
	if i.scopes.PublicOnly() && (repo.IsPrivate || repo.Owner.Visibility == "private") {
		return db.Access{}
	}
	return access
}
