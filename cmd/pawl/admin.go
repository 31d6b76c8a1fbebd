package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/accounts"
	"github.com/pawl-ci/pawl/internal/cli"
	"github.com/pawl-ci/pawl/internal/git"
	"github.com/pawl-ci/pawl/internal/vault"
)

// adminCommand manages accounts on the database itself, for when there is no administrator yet to do it by the API.
type adminCommand struct {
	User        adminUser        `cmd:"" help:"Make a user."`
	Password    adminPassword    `cmd:"" help:"Set the password of a user."`
	Token       adminTokenCmd    `cmd:"" help:"Make an access token and print it."`
	Org         adminOrg         `cmd:"" help:"Make an organization."`
	Repo        adminRepo        `cmd:"" help:"Make a repository."`
	RunnerToken adminRunnerToken `cmd:"" help:"Print the token with which runners register for the whole installation."`
	Variable    adminVariable    `cmd:"" help:"Set, list and remove variables of the installation, an owner or a repository."`
	Secret      adminSecret      `cmd:"" help:"Set, list and remove secrets of an owner or a repository."`

	RotateSecrets adminRotate `cmd:"" name:"rotate-secrets" help:"Seal everything that is sealed with an old secret key again, with the present one."`
}

// adminBase is what all of them need.
type adminBase struct {
	secretConfig
	DatabaseURL string `name:"database-url" env:"PAWL_DATABASE_URL" required:"" help:"URL of the Postgres database."`
}

// with runs fn with the database and the service of accounts open, and notes in the audit log what came of it.
func (b adminBase) with(ctx context.Context, store *git.Store, entry db.AuditEntry, fn func(*db.DB, *accounts.Service) error) error {
	keys, err := deriveKeys(b.secretConfig)
	if err != nil {
		return err
	}
	d, err := db.Open(ctx, b.DatabaseURL, db.Options{MaxConns: db.MinConns})
	if err != nil {
		return err
	}
	defer d.Close()
	return recordCommand(ctx, d, entry, fn(d, newAccounts(d, keys.tokens, store, git.MirrorOptions{})))
}

// withVault runs fn with the vault open, and notes in the audit log what came of it; an entry without an action is of a
// command that only reads.
func (b adminBase) withVault(ctx context.Context, entry db.AuditEntry, fn func(*vault.Vault) error) error {
	keys, err := deriveKeys(b.secretConfig)
	if err != nil {
		return err
	}
	d, err := db.Open(ctx, b.DatabaseURL, db.Options{MaxConns: db.MinConns})
	if err != nil {
		return err
	}
	defer d.Close()
	err = fn(keys.vault(d))
	if entry.Action == "" {
		return err
	}
	return recordCommand(ctx, d, entry, err)
}

// readHidden takes a password or a value from a variable or standard input, so that it is in no argument list.
func readHidden(variable, prompt string) (string, error) {
	if value, ok := os.LookupEnv(variable); ok {
		return value, nil
	}
	return cli.ReadValue(cli.NewTerminal(), prompt)
}

type adminUser struct {
	adminBase
	Login      string `arg:"" help:"Login name."`
	Email      string `help:"Mail address."`
	Admin      bool   `help:"Make the user an administrator."`
	NoPassword bool   `name:"no-password" help:"Let the user in by tokens only."`
}

// Run makes the user.
func (c *adminUser) Run(ctx context.Context, logger *slog.Logger) error {
	u := accounts.NewUser{Login: c.Login, Email: c.Email, Admin: c.Admin}
	if u.Email == "" {
		u.Email = c.Login + "@localhost.localdomain"
	}
	if !c.NoPassword {
		var err error
		if u.Password, err = readHidden("PAWL_PASSWORD", "password: "); err != nil {
			return err
		}
	}
	entry := db.AuditEntry{Action: "command.user.create", Owner: c.Login, Target: map[string]string{"admin": strconv.FormatBool(c.Admin)}}
	return c.with(ctx, nil, entry, func(_ *db.DB, s *accounts.Service) error {
		made, err := s.CreateUser(ctx, u)
		if err == nil {
			logger.InfoContext(ctx, "made user", "login", made.Login, "id", made.ID)
		}
		return err
	})
}

type adminPassword struct {
	adminBase
	Login string `arg:"" help:"Login name."`
}

// Run sets the password.
func (c *adminPassword) Run(ctx context.Context) error {
	password, err := readHidden("PAWL_PASSWORD", "password: ")
	if err != nil {
		return err
	}
	return c.with(ctx, nil, db.AuditEntry{Action: "command.password.set", Owner: c.Login}, func(d *db.DB, s *accounts.Service) error {
		u, err := d.OwnerByLogin(ctx, c.Login)
		if err != nil {
			return err
		}
		return s.SetPassword(ctx, u.ID, password)
	})
}

type adminTokenCmd struct {
	adminBase
	Login  string   `arg:"" help:"Login name."`
	Name   string   `default:"admin-command" help:"Name of the token."`
	Scopes []string `default:"all" help:"Scopes, such as read:repository."`
}

// Run prints the token.
func (c *adminTokenCmd) Run(ctx context.Context) error {
	entry := db.AuditEntry{
		Action: "command.token.create", Owner: c.Login, Target: map[string]string{"name": c.Name, "scopes": strings.Join(c.Scopes, ",")},
	}
	return c.with(ctx, nil, entry, func(d *db.DB, s *accounts.Service) error {
		u, err := d.OwnerByLogin(ctx, c.Login)
		if err != nil {
			return err
		}
		text, _, err := s.CreateToken(ctx, u.ID, c.Name, c.Scopes)
		if err == nil {
			fmt.Println(text)
		}
		return err
	})
}

type adminOrg struct {
	adminBase
	Name  string `arg:"" help:"Name of the organization."`
	Owner string `arg:"" help:"Login of its first owner."`
}

// Run makes the organization.
func (c *adminOrg) Run(ctx context.Context) error {
	entry := db.AuditEntry{Action: "command.org.create", Owner: c.Name, Target: map[string]string{"first_owner": c.Owner}}
	return c.with(ctx, nil, entry, func(d *db.DB, s *accounts.Service) error {
		u, err := d.OwnerByLogin(ctx, c.Owner)
		if err != nil {
			return err
		}
		_, err = s.CreateOrganization(ctx, accounts.NewOrganization{Login: c.Name}, u.ID)
		return err
	})
}

type adminRepo struct {
	adminBase
	DataDir  string `name:"data-dir" env:"PAWL_DATA_DIR" default:"data" type:"path" help:"Directory of the git repositories."`
	FullName string `arg:"" help:"owner/name."`
	Private  bool   `help:"Hide it from those without permission."`
	CloneURL string `name:"clone-url" help:"Where it lives, if that is outside."`
}

// Run makes the repository.
func (c *adminRepo) Run(ctx context.Context, logger *slog.Logger) error {
	login, name, ok := strings.Cut(c.FullName, "/")
	if !ok {
		return fmt.Errorf("%q is not of the form owner/name", c.FullName)
	}
	store, err := git.Open(ctx, git.Options{Root: c.DataDir, Logger: logger})
	if err != nil {
		return err
	}
	defer store.Close()
	return c.with(ctx, store, db.AuditEntry{Action: "command.repo.create", Owner: login, Repo: c.FullName}, func(d *db.DB, s *accounts.Service) error {
		owner, err := d.OwnerByLogin(ctx, login)
		if err != nil {
			return err
		}
		_, err = s.CreateRepository(ctx, owner, accounts.NewRepository{Name: name, Private: c.Private, CloneURL: c.CloneURL})
		return err
	})
}

type adminRunnerToken struct {
	adminBase
}

// Run prints the token.
func (c *adminRunnerToken) Run(ctx context.Context) error {
	return c.withVault(ctx, db.AuditEntry{Action: "command.runner-token.read"}, func(v *vault.Vault) error {
		text, err := v.RegistrationToken(ctx, db.Scope{})
		if err == nil {
			fmt.Println(text)
		}
		return err
	})
}
