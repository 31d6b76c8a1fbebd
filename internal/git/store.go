package git

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	defaultCommandTimeout = 30 * time.Second
	defaultCacheBytes     = 64 << 20
	defaultMaxPushBytes   = 512 << 20
	maxRemotes            = 8
)

// Options of a [Store]. Root is required, everything else has a default.
type Options struct {
	Root           string           // directory, made when missing, mode 0700; may be shared by several servers
	Git            string           // the program; "" means "git" on PATH
	Logger         *slog.Logger     // nil discards
	Now            func() time.Time // nil means time.Now
	CommandTimeout time.Duration    // of one reading command; 0 means 30 s
	MaxProcesses   int              // reading commands at once; 0 means four per CPU
	CacheBytes     int64            // of commits and workflow files in memory; 0 means 64 MiB
	MaxPushBytes   int64            // of one push, after decompression of the request; 0 means 512 MiB
	Mirror         MirrorOptions
}

// Store is a directory of bare repositories. It is safe for concurrent use.
type Store struct {
	options Options
	layout  layout
	log     *slog.Logger
	run     *runner // reading commands
	remotes *runner // commands that talk to outside repositories: slow ones must not keep reads waiting
	locks   *repositoryLocks
	cache   *cache
	flights singleflight.Group
	mirrors mirrorStates
	upkeep  *upkeep
}

// Open prepares the root directory and returns the store over it. It is cheap, and right after a crash.
func Open(ctx context.Context, o Options) (*Store, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	l := layout{root: o.Root}
	if err := l.prepare(); err != nil {
		return nil, err
	}
	env := environment(l.home())
	s := &Store{
		options: o,
		layout:  l,
		log:     o.Logger,
		run:     newRunner(o.Git, env, o.MaxProcesses),
		remotes: newRunner(o.Git, env, maxRemotes),
		locks:   newRepositoryLocks(l.locks()),
		cache:   newCache(o.CacheBytes),
		mirrors: mirrorStates{byID: map[int64]mirrorState{}},
	}
	if err := s.checkVersion(ctx); err != nil {
		return nil, err
	}
	s.upkeep = newUpkeep(s)
	s.sweepTmp()
	return s, nil
}

func (o *Options) complete() (err error) {
	if o.Root == "" {
		return invalidf("git root directory is empty")
	}
	if o.Root, err = filepath.Abs(o.Root); err != nil {
		return fmt.Errorf("git root: %w", err)
	}
	setDefault(&o.Git, "git")
	if o.Git, err = exec.LookPath(o.Git); err != nil {
		return fmt.Errorf("find git: %w", err)
	}
	setDefault(&o.CommandTimeout, defaultCommandTimeout)
	setDefault(&o.MaxProcesses, 4*runtime.NumCPU())
	setDefault(&o.CacheBytes, defaultCacheBytes)
	setDefault(&o.MaxPushBytes, defaultMaxPushBytes)
	setDefault(&o.Mirror.MinInterval, defaultMirrorInterval)
	setDefault(&o.Mirror.Timeout, defaultMirrorTimeout)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Close ends background upkeep and waits for it. Reads still work afterwards.
func (s *Store) Close() error {
	s.upkeep.close()
	return nil
}

// Exists reports whether the repository is there.
func (s *Store) Exists(id int64) bool {
	info, err := os.Stat(s.layout.repository(id))
	return err == nil && info.IsDir()
}

// Create makes an empty bare repository whose HEAD names defaultBranch. It appears in one step.
// Errors: [ErrExists], [ErrInvalid].
func (s *Store) Create(ctx context.Context, id int64, defaultBranch string) error {
	if err := checkID(id); err != nil {
		return err
	}
	if err := CheckBranchName(defaultBranch); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(s.layout.tmp(), "create-")
	if err != nil {
		return fmt.Errorf("create repository: %w", err)
	}
	defer os.RemoveAll(dir)
	bare := filepath.Join(dir, "bare.git")
	args := []string{"init", "--quiet", "--bare", "--template=", "--object-format=sha1", "--initial-branch=" + defaultBranch, "--", bare}
	if _, err := s.output(ctx, command{dir: dir, args: args}); err != nil {
		return fmt.Errorf("create repository %d: %w", id, err)
	}
	return s.publish(bare, id)
}

// publish moves a finished repository to its place.
func (s *Store) publish(bare string, id int64) error {
	target := s.layout.repository(id)
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
		return fmt.Errorf("create repository %d: %w", id, err)
	}
	err := os.Rename(bare, target)
	if err != nil && s.Exists(id) {
		return fmt.Errorf("repository %d %w", id, ErrExists)
	}
	if err != nil {
		return fmt.Errorf("create repository %d: %w", id, err)
	}
	return nil
}

// Remove deletes the repository; one that is not there is no error. It disappears in one step.
func (s *Store) Remove(ctx context.Context, id int64) error {
	unlock, err := s.locks.lock(ctx, id)
	if err != nil {
		return fmt.Errorf("remove repository %d: %w", id, err)
	}
	defer unlock()
	dir, err := os.MkdirTemp(s.layout.tmp(), "remove-")
	if err != nil {
		return fmt.Errorf("remove repository %d: %w", id, err)
	}
	defer os.RemoveAll(dir)
	err = os.Rename(s.layout.repository(id), filepath.Join(dir, "bare.git"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove repository %d: %w", id, err)
	}
	s.cache.forget(id)
	return nil
}

// DefaultBranch returns the bare name of the branch that HEAD names, whether or not it has a commit.
func (s *Store) DefaultBranch(ctx context.Context, id int64) (string, error) {
	out, err := s.git(ctx, id, "symbolic-ref", "HEAD")
	if err != nil {
		return "", err
	}
	return strings.TrimPrefix(strings.TrimSpace(string(out)), branchPrefix), nil
}

// SetDefaultBranch lets HEAD name the branch, which need not have a commit yet.
func (s *Store) SetDefaultBranch(ctx context.Context, id int64, branch string) error {
	if err := CheckBranchName(branch); err != nil {
		return err
	}
	_, err := s.git(ctx, id, "symbolic-ref", "HEAD", branchPrefix+branch)
	return err
}

func (s *Store) checkVersion(ctx context.Context) error {
	out, err := s.output(ctx, command{dir: s.layout.tmp(), args: []string{"--version"}})
	if err != nil {
		return fmt.Errorf("check git version: %w", err)
	}
	var major, minor int
	if _, err := fmt.Sscanf(string(out), "git version %d.%d", &major, &minor); err != nil {
		return fmt.Errorf("check git version: unexpected answer %q", strings.TrimSpace(string(out)))
	}
	if major < 2 || major == 2 && minor < 30 {
		return fmt.Errorf("git %d.%d is too old: 2.30 or newer is needed", major, minor)
	}
	return nil
}

// git runs a reading command on a repository.
func (s *Store) git(ctx context.Context, id int64, args ...string) ([]byte, error) {
	c, err := s.command(id, args...)
	if err != nil {
		return nil, err
	}
	return s.output(ctx, c)
}

// command aims a command at a repository, which must be there.
func (s *Store) command(id int64, args ...string) (command, error) {
	if !s.Exists(id) {
		return command{}, notFoundRepository(id)
	}
	dir := s.layout.repository(id)
	return command{dir: dir, args: append([]string{"--git-dir=" + dir}, args...)}, nil
}

func (s *Store) output(ctx context.Context, c command) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, s.options.CommandTimeout)
	defer cancel()
	return s.run.output(ctx, c)
}

func notFoundRepository(id int64) error {
	return &NotFoundError{Kind: "repository", Name: fmt.Sprint(id)}
}

func checkID(id int64) error {
	if id <= 0 {
		return invalidf("repository id %d is not positive", id)
	}
	return nil
}
