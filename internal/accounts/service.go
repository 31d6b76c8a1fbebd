package accounts

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/fault"
	"github.com/pawl-ci/pawl/internal/git"
	"github.com/pawl-ci/pawl/internal/token"
)

// Repositories keeps the git repositories that belong to the rows; *git.Store is one.
type Repositories interface {
	Create(ctx context.Context, id int64, defaultBranch string) error
	CommitFiles(ctx context.Context, id int64, c git.Change) (git.RefUpdate, error)
	SetDefaultBranch(ctx context.Context, id int64, branch string) error
	Remove(ctx context.Context, id int64) error
}

// Service makes accounts, tokens and repositories. All fields are needed, except where said. It is safe for concurrent
// use.
type Service struct {
	DB           *db.DB
	Tokens       *token.Hasher
	Passwords    *Passwords
	Repositories Repositories
	// CheckCloneURL refuses addresses of outside repositories; nil allows no outside repositories at all.
	CheckCloneURL func(string) error
}

// NewUser describes a user. Email and Password may be empty where the caller allows it: without a password only tokens
// work.
type NewUser struct {
	Login, FullName, Email, Password string
	Visibility                       string // public, limited or private; empty means public
	Admin                            bool
}

// CreateUser makes a user. Faults: 422 for input that breaks a rule and for a name that is taken.
func (s *Service) CreateUser(ctx context.Context, u NewUser) (*db.Owner, error) {
	owner := &db.Owner{
		Kind: db.KindUser, Login: u.Login, FullName: u.FullName, Email: u.Email, Visibility: u.Visibility, IsAdmin: u.Admin,
	}
	if err := checkOwner(owner); err != nil {
		return nil, err
	}
	if u.Password != "" {
		hash, err := s.Passwords.Hash(ctx, u.Password)
		if err != nil {
			return nil, err
		}
		owner.PasswordHash = hash
	}
	if err := s.DB.CreateOwner(ctx, owner); err != nil {
		return nil, nameTaken(err, "user already exists [name: %s]", u.Login)
	}
	return owner, nil
}

// SetPassword replaces the password of a user; every remembered check of the old one is void at once. Faults: those
// of CheckPassword.
func (s *Service) SetPassword(ctx context.Context, user int64, password string) error {
	hash, err := s.Passwords.Hash(ctx, password)
	if err != nil {
		return err
	}
	return s.DB.SetPasswordHash(ctx, user, hash)
}

// NewOrganization describes an organization.
type NewOrganization struct {
	Login, FullName, Email, Description string
	Visibility                          string // as in NewUser
}

// CreateOrganization makes an organization with one owner. Faults as of CreateUser.
func (s *Service) CreateOrganization(ctx context.Context, n NewOrganization, owner int64) (*db.Owner, error) {
	org := &db.Owner{
		Kind: db.KindOrganization, Login: n.Login, FullName: n.FullName, Email: n.Email, Description: n.Description,
		Visibility: n.Visibility,
	}
	if err := checkOwner(org); err != nil {
		return nil, err
	}
	if err := s.DB.CreateOrganization(ctx, org, owner); err != nil {
		return nil, nameTaken(err, "user already exists [name: %s]", n.Login)
	}
	return org, nil
}

func checkOwner(o *db.Owner) error {
	if o.Visibility == "" {
		o.Visibility = "public"
	}
	o.IsActive = true
	var email error
	if o.Email != "" {
		email = CheckEmail(o.Email)
	}
	return firstOf(
		CheckLogin(o.Login), email, CheckText("FullName", o.FullName, MaxFullName),
		CheckText("Description", o.Description, MaxDescription), checkVisibility(o.Visibility),
	)
}

func checkVisibility(v string) error {
	if !slices.Contains([]string{"public", "limited", "private"}, v) {
		return fault.Unprocessable("In(public,limited,private)").In("Visibility")
	}
	return nil
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func nameTaken(err error, format, name string) error {
	if errors.Is(err, db.ErrConflict) {
		return fault.Unprocessable(format, name)
	}
	return err
}

// CreateToken makes an access token for a user and returns its text, which nothing can show again. Faults: 400 for
// scopes that are none and a name that is used, 422 for a name that breaks a rule (rest-api.md §10).
func (s *Service) CreateToken(ctx context.Context, user int64, name string, scopes []string) (string, *db.AccessToken, error) {
	name = strings.TrimSpace(name)
	if name == "" {
		return "", nil, fault.Unprocessable("Required").In("Name")
	}
	if err := CheckText("Name", name, MaxTokenName); err != nil {
		return "", nil, err
	}
	parsed, err := ParseScopes(scopes)
	if err != nil {
		return "", nil, err
	}
	text := token.New()
	row := &db.AccessToken{
		UserID: user, Name: name, TokenHash: s.Tokens.Hash(text), LastEight: text[len(text)-8:], Scopes: parsed,
	}
	err = s.DB.CreateAccessToken(ctx, row)
	if errors.Is(err, db.ErrConflict) {
		return "", nil, fault.BadRequest("access token name has been used already")
	}
	return text, row, err
}

// NewRepository describes a repository.
type NewRepository struct {
	Name, Description string
	Private           bool
	DefaultBranch     string // empty means main
	// CloneURL is set for a repository that lives outside and is fetched when needed.
	CloneURL string
	// FirstCommit, if set, is made on the default branch; its Branch need not be set.
	FirstCommit *git.Change
}

const defaultBranch = "main"

// CreateRepository makes a repository of an owner, with its git repository. Faults: 409 for a name that is taken, 422
// for input that breaks a rule.
func (s *Service) CreateRepository(ctx context.Context, owner *db.Owner, n NewRepository) (*db.Repository, error) {
	if n.DefaultBranch == "" {
		n.DefaultBranch = defaultBranch
	}
	if err := s.checkRepository(n); err != nil {
		return nil, err
	}
	repo := &db.Repository{
		OwnerID: owner.ID, Name: n.Name, Description: n.Description, IsPrivate: n.Private,
		DefaultBranch: n.DefaultBranch, CloneURL: n.CloneURL, IsEmpty: n.CloneURL == "", Owner: owner,
	}
	made := false
	err := s.DB.CreateRepository(ctx, repo, func(ctx context.Context) error {
		made = true
		return s.fill(ctx, repo, n.FirstCommit)
	})
	if err != nil && made {
		err = errors.Join(err, s.Repositories.Remove(context.WithoutCancel(ctx), repo.ID))
	}
	if errors.Is(err, db.ErrConflict) {
		return nil, fault.Conflict("The repository with the same name already exists.")
	}
	if err != nil {
		return nil, err
	}
	return repo, nil
}

// fill makes the git repository, with its first commit if there is to be one.
func (s *Service) fill(ctx context.Context, repo *db.Repository, first *git.Change) error {
	if err := s.Repositories.Create(ctx, repo.ID, repo.DefaultBranch); err != nil || first == nil {
		return err
	}
	change := *first
	change.Branch = repo.DefaultBranch
	update, err := s.Repositories.CommitFiles(ctx, repo.ID, change)
	repo.FirstCommit = update.New
	return err
}

// EditRepository changes a repository. Faults: 422 for what breaks a rule.
func (s *Service) EditRepository(ctx context.Context, repo *db.Repository, e db.RepositoryEdit) error {
	if e.Description != nil {
		if err := CheckText("Description", *e.Description, MaxDescription); err != nil {
			return err
		}
	}
	if e.DefaultBranch != nil && git.CheckBranchName(*e.DefaultBranch) != nil {
		return fault.Unprocessable("GitRefName").In("DefaultBranch")
	}
	return s.DB.UpdateRepository(ctx, repo.ID, e, func(ctx context.Context) error {
		if e.DefaultBranch == nil || repo.CloneURL != "" { // the other end knows its own
			return nil
		}
		return s.Repositories.SetDefaultBranch(ctx, repo.ID, *e.DefaultBranch)
	})
}

func (s *Service) checkRepository(n NewRepository) error {
	if err := firstOf(CheckRepoName(n.Name), CheckText("Description", n.Description, MaxDescription)); err != nil {
		return err
	}
	if err := git.CheckBranchName(n.DefaultBranch); err != nil {
		return fault.Unprocessable("GitRefName").In("DefaultBranch")
	}
	if n.FirstCommit != nil && n.CloneURL != "" {
		return fault.Unprocessable("a repository that lives outside has its commits there").In("AutoInit")
	}
	return s.checkCloneURL(n.CloneURL)
}

// checkCloneURL refuses an address with a password in it, because the address is stored and shown as it is.
func (s *Service) checkCloneURL(url string) error {
	switch {
	case url == "":
		return nil
	case s.CheckCloneURL == nil:
		return fault.Unprocessable("this server allows no outside repositories").In("CloneURL")
	case hasCredentials(url):
		return fault.Unprocessable("must not hold credentials").In("CloneURL")
	}
	if err := s.CheckCloneURL(url); err != nil {
		return fault.Unprocessable("%s", strings.TrimPrefix(err.Error(), "invalid: ")).In("CloneURL")
	}
	return nil
}

func hasCredentials(url string) bool {
	_, rest, found := strings.Cut(url, "://")
	if !found {
		return false
	}
	authority, _, _ := strings.Cut(rest, "/")
	return strings.Contains(authority, "@")
}
