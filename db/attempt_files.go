package db

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"
)

// AttemptFiles returns the workflow files of an attempt by number, its own first; none for an attempt that reads none
// while it runs.
func (d *DB) AttemptFiles(ctx context.Context, attempt int64) ([]*AttemptFile, error) {
	var files []*AttemptFile
	if err := d.NewSelect().Model(&files).Where("attempt_id = ?", attempt).Order("n").Scan(ctx); err != nil {
		return nil, fmt.Errorf("files of attempt %d: %w", attempt, err)
	}
	return files, nil
}

// insertFiles stores the files of an attempt one by one: together they may be larger than one statement should be.
func insertFiles(ctx context.Context, tx bun.Tx, attempt int64, files []*AttemptFile) error {
	for _, f := range files {
		f.AttemptID = attempt
		if _, err := tx.NewInsert().Model(f).Returning("NULL").Exec(ctx); err != nil {
			return fmt.Errorf("file %s: %w", f.Path, err)
		}
	}
	return nil
}

// copyFiles gives an attempt the files of another one.
func copyFiles(ctx context.Context, tx bun.Tx, from, to int64) error {
	_, err := tx.NewRaw(`INSERT INTO attempt_files (attempt_id, n, repo_id, repository, path, ref, sha, content, calls)
		SELECT ?, n, repo_id, repository, path, ref, sha, content, calls FROM attempt_files WHERE attempt_id = ?`, to, from).Exec(ctx)
	return err
}
