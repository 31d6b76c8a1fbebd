package db

import (
	"context"
	"fmt"
)

// SetApprovalPolicy says which new runs of a repository wait for an approval. Those that are there already keep what
// they were made with. ErrNotFound if there is no such repository.
func (d *DB) SetApprovalPolicy(ctx context.Context, repo int64, p ApprovalPolicy) error {
	res, err := d.NewUpdate().Model((*Repository)(nil)).Set("approval = ?", p).Set("updated_at = now()").Where("id = ?", repo).Exec(ctx)
	return oneRow(res, err, fmt.Sprintf("approval of repository %d", repo))
}
