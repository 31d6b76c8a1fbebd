package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"

	"github.com/pawl-ci/pawl/internal/devstack/freeport"
)

// downloadVersion is what Download gets when the machine has no PostgreSQL.
const downloadVersion = embeddedpostgres.V17

// Locate finds the server programs on this machine or else downloads them into the
// user's cache directory, once.
func Locate(ctx context.Context, logger *slog.Logger) (Binaries, error) {
	found, notFound := Find(ctx)
	if notFound == nil {
		return found, nil
	}
	cacheDir, err := defaultCacheDir()
	if err != nil {
		return Binaries{}, errors.Join(notFound, err)
	}
	logger.Info("no PostgreSQL server found on this machine, using a downloaded one",
		"version", downloadVersion, "cache", cacheDir)
	found, err = Download(ctx, cacheDir, "")
	if err != nil {
		return Binaries{}, errors.Join(notFound, err)
	}
	return found, nil
}

// defaultCacheDir must be one that the user who runs the server can enter, so root's
// own cache will not do.
func defaultCacheDir() (string, error) {
	if os.Geteuid() == 0 {
		return "/var/cache/pawl", nil
	}
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "pawl"), err
}

// Download fetches the server programs for this system into cacheDir, some 30 MiB, or
// finds them there. repository is the address of a Maven repository; empty means the
// public one. Interrupted downloads leave nothing that a later call could mistake.
func Download(ctx context.Context, cacheDir, repository string) (Binaries, error) {
	home := filepath.Join(cacheDir, "postgresql-"+string(downloadVersion))
	if found, err := inspect(ctx, filepath.Join(home, "bin")); err == nil {
		return found, nil
	}
	if err := os.MkdirAll(cacheDir, 0o755); err != nil {
		return Binaries{}, fmt.Errorf("download PostgreSQL: %w", err)
	}
	scratch, err := os.MkdirTemp(cacheDir, "download-")
	if err != nil {
		return Binaries{}, fmt.Errorf("download PostgreSQL: %w", err)
	}
	defer os.RemoveAll(scratch)
	if err := fetch(ctx, scratch, repository); err != nil {
		return Binaries{}, fmt.Errorf("download PostgreSQL %s: %w", downloadVersion, err)
	}
	if err := install(filepath.Join(scratch, "binaries"), home); err != nil {
		return Binaries{}, fmt.Errorf("install PostgreSQL: %w", err)
	}
	return inspect(ctx, filepath.Join(home, "bin"))
}

// fetch leaves the programs in scratch/binaries. The library can only unpack them on
// its way to starting a server. That start is not wanted here, and as root it has to
// fail, so the programs count and not its result.
func fetch(ctx context.Context, scratch, repository string) error {
	port, err := freeport.Find("127.0.0.1")
	if err != nil {
		return err
	}
	config := embeddedpostgres.DefaultConfig().
		Version(downloadVersion).
		Port(uint32(port)).
		CachePath(filepath.Join(scratch, "cache")).
		RuntimePath(filepath.Join(scratch, "run")).
		DataPath(filepath.Join(scratch, "data")).
		BinariesPath(filepath.Join(scratch, "binaries")).
		Logger(io.Discard)
	if repository != "" {
		config = config.BinaryRepositoryURL(repository)
	}
	server := embeddedpostgres.NewDatabase(config)
	startErr := server.Start()
	if startErr == nil {
		if err := server.Stop(); err != nil {
			return err
		}
	}
	if _, err := inspect(ctx, filepath.Join(scratch, "binaries", "bin")); err != nil {
		return errors.Join(startErr, err)
	}
	return nil
}

// install moves the programs into place and lets every user execute them: the server
// may run as another user than the one who downloaded.
func install(from, to string) error {
	if err := os.Chmod(from, 0o755); err != nil {
		return err
	}
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	return os.Rename(from, to)
}
