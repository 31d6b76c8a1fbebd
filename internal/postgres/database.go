package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// duplicateDatabase is the SQLSTATE of a CREATE DATABASE that was not needed.
const duplicateDatabase = "42P04"

// EnsureDatabase creates the database that rawURL names, unless it exists. The user in
// the URL must be able to connect to the database postgres of that server and, if the
// database is missing, be allowed to create one.
func EnsureDatabase(ctx context.Context, rawURL string) error {
	u, err := url.Parse(rawURL)
	if err != nil {
		return errors.New("database URL is malformed") // the error would quote the password
	}
	if ping(ctx, rawURL) == nil {
		return nil
	}
	config, err := pgx.ParseConfig(rawURL)
	if err != nil {
		return fmt.Errorf("database URL: %w", err)
	}
	name := config.Database
	u.Path = "/postgres"
	conn, err := pgx.Connect(ctx, u.String())
	if err != nil {
		return fmt.Errorf("create database %s: %w", name, err)
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
	var pgErr *pgconn.PgError
	if err != nil && !(errors.As(err, &pgErr) && pgErr.Code == duplicateDatabase) {
		return fmt.Errorf("create database %s: %w", name, err)
	}
	return nil
}
