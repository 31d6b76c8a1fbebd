package db

import (
	"context"
	"fmt"
	"strings"

	"github.com/uptrace/bun"
)

// RepositoryView is a repository with what connects the viewer of a list with it.
type RepositoryView struct {
	Repository *Repository
	Standing   Standing
}

// RepositoryFilter selects repositories that Viewer may read; nil is nobody.
type RepositoryFilter struct {
	Viewer *Owner
	// PublicOnly leaves out what is private, whoever views.
	PublicOnly bool
	// OwnerID, if set, leaves only those of one owner.
	OwnerID int64
	// MemberID, if set, leaves only those that a user owns, was given by name, or sees as member of an organization.
	MemberID int64
	// Text, if set, is a part of the name.
	Text string
	Sort RepositorySort
	Page Page
}

// RepositorySort is the order of a list of repositories.
type RepositorySort struct {
	By         string // a key of repositoryOrders; empty is by name
	Descending bool
}

// repositoryOrders are the columns to sort by. The id makes each order a total one.
var repositoryOrders = map[string]string{
	"": "repository.lower_name", "alpha": "repository.lower_name", "created": "repository.created_at",
	"updated": "repository.updated_at", "id": "repository.id",
}

// Valid tells whether repositories can be sorted so.
func (s RepositorySort) Valid() bool {
	_, known := repositoryOrders[s.By]
	return known
}

func (s RepositorySort) order() string {
	direction := " ASC"
	if s.Descending {
		direction = " DESC"
	}
	return repositoryOrders[s.By] + direction + ", repository.id" + direction
}

// Repositories returns a page of repositories, and how many there are.
func (d *DB) Repositories(ctx context.Context, f RepositoryFilter) ([]RepositoryView, int, error) {
	var rows []struct {
		Repository `bun:",extend"`

		Role   string `bun:",scanonly"`
		Shared string `bun:",scanonly"`
	}
	var viewer int64
	if f.Viewer != nil {
		viewer = f.Viewer.ID
	}
	q := d.NewSelect().Model(&rows).Relation("Owner").ColumnExpr("repository.*").
		ColumnExpr("coalesce((SELECT role FROM org_members WHERE org_id = repository.owner_id AND user_id = ?), '') AS role", viewer).
		ColumnExpr("coalesce((SELECT permission FROM collaborators WHERE repo_id = repository.id AND user_id = ?), '') AS shared", viewer)
	n, err := f.Page.scan(ctx, f.apply(q), f.Sort.order())
	if err != nil {
		return nil, 0, fmt.Errorf("list repositories: %w", err)
	}
	views := make([]RepositoryView, len(rows))
	for i := range rows {
		views[i] = RepositoryView{
			Repository: &rows[i].Repository,
			Standing:   Standing{Role: OrgRole(rows[i].Role), Collaborator: Permission(rows[i].Shared)},
		}
	}
	return views, n, nil
}

func (f RepositoryFilter) apply(q *bun.SelectQuery) *bun.SelectQuery {
	switch {
	case f.Viewer == nil:
		q = q.Where("NOT repository.is_private").Where("owner.visibility = 'public'")
	case f.PublicOnly:
		q = q.Where("NOT repository.is_private").Where("owner.visibility <> 'private'")
	default:
		q = readableBy(q, f.Viewer)
	}
	if f.OwnerID != 0 {
		q = q.Where("repository.owner_id = ?", f.OwnerID)
	}
	if f.MemberID != 0 {
		q = q.Where(`(repository.owner_id = ?0
			OR EXISTS (SELECT 1 FROM org_members m WHERE m.org_id = repository.owner_id AND m.user_id = ?0)
			OR EXISTS (SELECT 1 FROM collaborators c WHERE c.repo_id = repository.id AND c.user_id = ?0))`, f.MemberID)
	}
	if f.Text != "" {
		q = q.Where("strpos(repository.lower_name, ?) > 0", strings.ToLower(f.Text))
	}
	return q
}

// Organizations returns a page of the organizations that a user is a member of, by name, and how many there are. Only
// those that viewer may see count: nil is nobody.
func (d *DB) Organizations(ctx context.Context, member int64, viewer *Owner, p Page) ([]*Owner, int, error) {
	var orgs []*Owner
	q := d.NewSelect().Model(&orgs).Where("owner.id IN (SELECT org_id FROM org_members WHERE user_id = ?)", member)
	switch {
	case viewer == nil:
		q = q.Where("owner.visibility = 'public'")
	case !viewer.IsAdmin:
		q = q.Where("(owner.visibility <> 'private' OR owner.id IN (SELECT org_id FROM org_members WHERE user_id = ?))", viewer.ID)
	}
	n, err := p.scan(ctx, q, "owner.lower_login")
	if err != nil {
		return nil, 0, fmt.Errorf("organizations: %w", err)
	}
	return orgs, n, nil
}
