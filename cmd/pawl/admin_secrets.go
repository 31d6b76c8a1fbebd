package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/vault"
)

// adminScope says whose secret or variable is meant.
type adminScope struct {
	adminBase
	Owner string `xor:"scope" help:"User or organization whose it is."`
	Repo  string `xor:"scope" help:"Repository whose it is, owner/name."`
}

// reading is the entry of commands that the audit log leaves out.
var reading = db.AuditEntry{}

// about is the entry of a command that changes the secret or variable with a name.
func (s adminScope) about(action, name string) db.AuditEntry {
	return db.AuditEntry{Action: "command." + action, Owner: s.Owner, Repo: s.Repo, Target: map[string]string{"name": name}}
}

// in runs fn with the vault and the scope that the flags name: without any, the installation.
func (s adminScope) in(ctx context.Context, entry db.AuditEntry, fn func(*vault.Vault, db.Scope) error) error {
	return s.withVault(ctx, entry, func(v *vault.Vault) error {
		scope, err := s.find(ctx, v.DB)
		if err != nil {
			return err
		}
		return fn(v, scope)
	})
}

func (s adminScope) find(ctx context.Context, d *db.DB) (db.Scope, error) {
	if s.Repo != "" {
		owner, name, _ := strings.Cut(s.Repo, "/")
		repo, _, err := d.RepositoryFor(ctx, owner, name, 0)
		if err != nil {
			return db.Scope{}, fmt.Errorf("repository %s: %w", s.Repo, err)
		}
		return db.Scope{RepoID: repo.ID}, nil
	}
	if s.Owner == "" {
		return db.Scope{}, nil
	}
	owner, err := d.OwnerByLogin(ctx, s.Owner)
	if err == nil && owner.ID <= 0 {
		err = db.ErrNotFound
	}
	if err != nil {
		return db.Scope{}, fmt.Errorf("owner %s: %w", s.Owner, err)
	}
	return db.Scope{OwnerID: owner.ID}, nil
}

// printColumns prints a line for each entry, its cells below each other.
func printColumns[T any](list []T, cells func(T) []any) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, entry := range list {
		for _, cell := range cells(entry) {
			fmt.Fprint(w, cell, "\t")
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}

type adminVariable struct {
	Set  adminVariableSet  `cmd:"" help:"Set a variable."`
	Rm   adminVariableRm   `cmd:"" help:"Remove a variable."`
	List adminVariableList `cmd:"" help:"List the variables."`
}

type adminVariableSet struct {
	adminScope
	Name        string `arg:"" help:"Name of the variable."`
	Value       string `arg:"" optional:"" help:"Its value. Unset: PAWL_VALUE, or standard input."`
	Description string `help:"What it is for."`
}

// Run makes the variable, or changes it.
func (c *adminVariableSet) Run(ctx context.Context) (err error) {
	if c.Value == "" {
		if c.Value, err = readHidden("PAWL_VALUE", "value: "); err != nil {
			return err
		}
	}
	return c.in(ctx, c.about("variable.set", c.Name), func(v *vault.Vault, s db.Scope) error {
		made := &db.Variable{OwnerID: s.OwnerID, RepoID: s.RepoID, Name: c.Name, Value: c.Value, Description: c.Description}
		err := v.CreateVariable(ctx, made)
		if errors.Is(err, db.ErrConflict) {
			err = v.UpdateVariable(ctx, c.Name, made)
		}
		return err
	})
}

type adminVariableRm struct {
	adminScope
	Name string `arg:"" help:"Name of the variable."`
}

// Run removes the variable.
func (c *adminVariableRm) Run(ctx context.Context) error {
	return c.in(ctx, c.about("variable.delete", c.Name), func(v *vault.Vault, s db.Scope) error { return v.DeleteVariable(ctx, s, c.Name) })
}

type adminVariableList struct {
	adminScope
}

// Run prints names and values.
func (c *adminVariableList) Run(ctx context.Context) error {
	return c.in(ctx, reading, func(v *vault.Vault, s db.Scope) error {
		list, _, err := v.DB.Variables(ctx, s, db.Page{Limit: db.MaxNamed})
		if err != nil {
			return err
		}
		return printColumns(list, func(v *db.Variable) []any { return []any{v.Name, strconv.Quote(v.Value), v.Description} })
	})
}

type adminSecret struct {
	Set  adminSecretSet  `cmd:"" help:"Set a secret; its value is PAWL_VALUE, or standard input."`
	Rm   adminSecretRm   `cmd:"" help:"Remove a secret."`
	List adminSecretList `cmd:"" help:"List the secrets, without their values."`
}

var errInstanceSecret = errors.New("the installation has no secrets, only variables: name an --owner or a --repo")

// inOwn is in for secrets, which the installation has none of.
func (s adminScope) inOwn(ctx context.Context, entry db.AuditEntry, fn func(*vault.Vault, db.Scope) error) error {
	if s.Owner == "" && s.Repo == "" {
		return errInstanceSecret
	}
	return s.in(ctx, entry, fn)
}

type adminSecretSet struct {
	adminScope
	Name        string `arg:"" help:"Name of the secret."`
	Description string `help:"What it is for."`
}

// Run sets the secret.
func (c *adminSecretSet) Run(ctx context.Context) error {
	return c.inOwn(ctx, c.about("secret.set", c.Name), func(v *vault.Vault, s db.Scope) error {
		value, err := readHidden("PAWL_VALUE", "value: ")
		if err != nil {
			return err
		}
		_, err = v.PutSecret(ctx, s, c.Name, value, c.Description)
		return err
	})
}

type adminSecretRm struct {
	adminScope
	Name string `arg:"" help:"Name of the secret."`
}

// Run removes the secret.
func (c *adminSecretRm) Run(ctx context.Context) error {
	return c.inOwn(ctx, c.about("secret.delete", c.Name), func(v *vault.Vault, s db.Scope) error { return v.DeleteSecret(ctx, s, c.Name) })
}

type adminSecretList struct {
	adminScope
}

// Run prints names and descriptions.
func (c *adminSecretList) Run(ctx context.Context) error {
	return c.inOwn(ctx, reading, func(v *vault.Vault, s db.Scope) error {
		list, _, err := v.DB.Secrets(ctx, s, db.Page{Limit: db.MaxNamed})
		if err != nil {
			return err
		}
		return printColumns(list, func(s *db.Secret) []any { return []any{s.Name, s.Description} })
	})
}

type adminRotate struct {
	adminBase
}

var errNotRotated = errors.New("some values could not be opened with any of the keys, and are as they were")

// Run seals everything again that is not sealed with the secret key, and says how much that was.
func (c *adminRotate) Run(ctx context.Context, logger *slog.Logger) error {
	return c.withVault(ctx, db.AuditEntry{Action: "command.secrets.rotate"}, func(v *vault.Vault) error {
		failures := 0
		err := v.Rotate(ctx, func(r vault.Rotated) {
			failures += r.Failed
			fmt.Printf("%s: %d sealed again, %d failed\n", r.Table, r.Sealed, r.Failed)
		}, func(err error) { logger.ErrorContext(ctx, "value not sealed again", "error", err) })
		if err == nil && failures > 0 {
			err = errNotRotated
		}
		return err
	})
}
