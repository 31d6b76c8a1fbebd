package db

import (
	"time"

	"github.com/uptrace/bun"
)

// OwnerKind tells users from organizations, which share names and ids.
type OwnerKind string

// The kinds of owners.
const (
	KindUser         OwnerKind = "user"
	KindOrganization OwnerKind = "organization"
)

// Owner is a user or an organization.
type Owner struct {
	bun.BaseModel `bun:"table:owners,alias:owner"`

	ID           int64     `bun:",pk,autoincrement"`
	Kind         OwnerKind `bun:",notnull"`
	Login        string    `bun:",notnull"`
	LowerLogin   string    `bun:",notnull"`
	FullName     string
	Email        string
	Description  string
	Visibility   string    `bun:",nullzero,default:'public'"`
	PasswordHash string    `bun:",notnull"`
	IsAdmin      bool      `bun:",notnull"`
	IsActive     bool      `bun:",notnull"`
	CreatedAt    time.Time `bun:",nullzero,default:now()"`
	LastLoginAt  time.Time `bun:",nullzero"`
}

// OrgRole is what a member may do in an organization.
type OrgRole string

// The roles of members.
const (
	RoleOwner  OrgRole = "owner"
	RoleMember OrgRole = "member"
)

// OrgMember is one user in one organization.
type OrgMember struct {
	bun.BaseModel `bun:"table:org_members,alias:org_member"`

	OrgID     int64     `bun:",pk"`
	UserID    int64     `bun:",pk"`
	Role      OrgRole   `bun:",notnull"`
	CreatedAt time.Time `bun:",nullzero,default:now()"`
}

// AccessToken is a personal access token; only its keyed hash is kept.
type AccessToken struct {
	bun.BaseModel `bun:"table:access_tokens,alias:access_token"`

	ID         int64     `bun:",pk,autoincrement"`
	UserID     int64     `bun:",notnull"`
	Name       string    `bun:",notnull"`
	TokenHash  []byte    `bun:",notnull"`
	LastEight  string    `bun:",notnull"`
	Scopes     []string  `bun:",array,notnull"`
	CreatedAt  time.Time `bun:",nullzero,default:now()"`
	LastUsedAt time.Time `bun:",nullzero"`
}

// Repository is a hosted repository, or one that lives at CloneURL and is fetched when needed.
type Repository struct {
	bun.BaseModel `bun:"table:repositories,alias:repository"`

	ID            int64  `bun:",pk,autoincrement"`
	OwnerID       int64  `bun:",notnull"`
	Name          string `bun:",notnull"`
	LowerName     string `bun:",notnull"`
	Description   string
	IsPrivate     bool   `bun:",notnull"`
	DefaultBranch string `bun:",notnull"`
	IsEmpty       bool   `bun:",notnull"`
	CloneURL      string
	RunCounter    int64     `bun:",notnull"`
	CreatedAt     time.Time `bun:",nullzero,default:now()"`
	UpdatedAt     time.Time `bun:",nullzero,default:now()"`
	// PausedAt is since when its offers are held back.
	PausedAt time.Time `bun:",nullzero"`
	PausedBy int64     `bun:",notnull"`
	// Approval says which new runs wait for an approval.
	Approval ApprovalPolicy `bun:",notnull,nullzero,default:'none'"`

	Owner *Owner `bun:"rel:belongs-to,join:owner_id=id"`

	// FirstCommit is for CreateRepository, and empty else: the commit on the default branch that it begins with.
	FirstCommit string `bun:"-"`
}

// ApprovalPolicy says which new runs of a repository wait for an approval.
type ApprovalPolicy string

// The policies.
const (
	ApproveNone ApprovalPolicy = "none"
	ApproveAll  ApprovalPolicy = "all"
)

// FullName is owner/name; Owner must be loaded.
func (r *Repository) FullName() string { return r.Owner.Login + "/" + r.Name }

// Permission is what a user may do in a repository; each includes the ones before it.
type Permission string

// The permissions, from none to admin.
const (
	PermissionNone  Permission = ""
	PermissionRead  Permission = "read"
	PermissionWrite Permission = "write"
	PermissionAdmin Permission = "admin"
)

// Collaborator gives one user a permission in one repository.
type Collaborator struct {
	bun.BaseModel `bun:"table:collaborators,alias:collaborator"`

	RepoID     int64      `bun:",pk"`
	UserID     int64      `bun:",pk"`
	Permission Permission `bun:",notnull"`
}

// GitRef is a ref whose latest push has been turned into events.
type GitRef struct {
	bun.BaseModel `bun:"table:git_refs,alias:git_ref"`

	RepoID    int64     `bun:",pk"`
	Name      string    `bun:",pk"`
	SHA       string    `bun:"sha,notnull"`
	UpdatedAt time.Time `bun:",nullzero,default:now()"`
}

// DisabledWorkflow is a workflow file that starts no runs.
type DisabledWorkflow struct {
	bun.BaseModel `bun:"table:disabled_workflows,alias:disabled_workflow"`

	RepoID       int64  `bun:",pk"`
	WorkflowFile string `bun:",pk"`
}
