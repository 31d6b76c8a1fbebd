package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Superuser is the role that owns the cluster.
const Superuser = "pawl"

// locales are tried in this order. Both sort by bytes; only the first knows upper and
// lower case beyond ASCII, and not every system has it.
var locales = []string{"C.UTF-8", "C"}

// layout of the cluster's home directory.
func (c *Cluster) dataDir() string      { return filepath.Join(c.opt.Dir, "data") }
func (c *Cluster) scratchDir() string   { return filepath.Join(c.opt.Dir, "data.new") }
func (c *Cluster) passwordFile() string { return filepath.Join(c.opt.Dir, "password") }

// ensureInitialized creates the cluster if there is none. It is built aside and renamed
// when complete, so that an interrupted attempt is only repeated.
func (c *Cluster) ensureInitialized(ctx context.Context) error {
	password, err := c.ensurePassword()
	if err != nil {
		return fmt.Errorf("password of the cluster: %w", err)
	}
	c.password = password
	if _, err := os.Stat(filepath.Join(c.dataDir(), "PG_VERSION")); err == nil {
		return c.checkVersion()
	}
	var failed error
	for _, locale := range locales {
		if failed = c.initdb(ctx, locale); failed == nil {
			return os.Rename(c.scratchDir(), c.dataDir())
		}
	}
	return fmt.Errorf("create the cluster: %w", failed)
}

func (c *Cluster) ensurePassword() (string, error) {
	data, err := os.ReadFile(c.passwordFile())
	if err == nil {
		return strings.TrimSpace(string(data)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if _, err := os.Stat(c.dataDir()); err == nil {
		return "", fmt.Errorf("%s is missing", c.passwordFile())
	}
	password := rand.Text()
	if err := os.WriteFile(c.passwordFile(), []byte(password+"\n"), 0o600); err != nil {
		return "", err
	}
	return password, c.account.own(c.passwordFile())
}

// checkVersion refuses programs of another major version before the server does, with
// a text that tells what to do.
func (c *Cluster) checkVersion() error {
	data, err := os.ReadFile(filepath.Join(c.dataDir(), "PG_VERSION"))
	if err != nil {
		return fmt.Errorf("version of the cluster: %w", err)
	}
	if version := strings.TrimSpace(string(data)); firstNumber(version) != c.opt.Binaries.Major {
		return fmt.Errorf("the cluster in %s was made by PostgreSQL %s, the server programs in %s are of version %d: "+
			"install the old version beside the new one, or move the directory away to start afresh",
			c.dataDir(), version, c.opt.Binaries.Dir, c.opt.Binaries.Major)
	}
	return nil
}

func (c *Cluster) initdb(ctx context.Context, locale string) error {
	if err := os.RemoveAll(c.scratchDir()); err != nil {
		return err
	}
	attr, err := c.account.attributes(c.opt.Dir)
	if err != nil {
		return err
	}
	args := []string{"--pgdata", c.scratchDir(), "--username", Superuser, "--pwfile", c.passwordFile(),
		"--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", locale}
	if c.opt.Volatile {
		args = append(args, "--no-sync")
	}
	cmd := exec.CommandContext(ctx, c.opt.Binaries.initdb(), args...)
	cmd.Dir, cmd.SysProcAttr = "/", attr
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, lastLine(out))
	}
	return nil
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}
