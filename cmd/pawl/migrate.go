package main

import (
	"context"
	"log/slog"

	"github.com/pawl-ci/pawl/db"
)

type migrateCommand struct {
	DatabaseURL string `name:"database-url" env:"PAWL_DATABASE_URL" required:"" help:"URL of the Postgres database."`
}

// Run brings the schema up to date; several processes may do so at once.
func (c *migrateCommand) Run(ctx context.Context, logger *slog.Logger) error {
	_, err := retryUntil(ctx, logger, "postgres", func() (struct{}, error) {
		return struct{}{}, db.MigrateURL(ctx, c.DatabaseURL)
	})
	if err != nil {
		return err
	}
	logger.InfoContext(ctx, "the database is up to date")
	return nil
}
