package db

import (
	"context"
	"fmt"
)

// DisabledWorkflows returns the workflow files of a repository that start no runs.
func (d *DB) DisabledWorkflows(ctx context.Context, repo int64) (map[string]bool, error) {
	var rows []DisabledWorkflow
	if err := d.NewSelect().Model(&rows).Where("repo_id = ?", repo).Scan(ctx); err != nil {
		return nil, fmt.Errorf("disabled workflows: %w", err)
	}
	out := make(map[string]bool, len(rows))
	for _, r := range rows {
		out[r.WorkflowFile] = true
	}
	return out, nil
}

// IsWorkflowDisabled tells whether a workflow file starts no runs.
func (d *DB) IsWorkflowDisabled(ctx context.Context, repo int64, file string) (bool, error) {
	found, err := d.NewSelect().Model((*DisabledWorkflow)(nil)).
		Where("repo_id = ?", repo).Where("workflow_file = ?", file).Exists(ctx)
	if err != nil {
		return false, fmt.Errorf("disabled workflow: %w", err)
	}
	return found, nil
}

// SetWorkflowDisabled turns a workflow file off or on; repeating it changes nothing.
func (d *DB) SetWorkflowDisabled(ctx context.Context, repo int64, file string, disabled bool) error {
	row := &DisabledWorkflow{RepoID: repo, WorkflowFile: file}
	var err error
	if disabled {
		_, err = d.NewInsert().Model(row).On("CONFLICT DO NOTHING").Exec(ctx)
	} else {
		_, err = d.NewDelete().Model(row).WherePK().Exec(ctx)
	}
	if err != nil {
		return fmt.Errorf("disable workflow: %w", err)
	}
	return nil
}
