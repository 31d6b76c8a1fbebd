package git

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// MirrorRequest says where a copy comes from.
type MirrorRequest struct {
	URL                string // http or https, others by [MirrorOptions]; user info in it counts as credentials
	Username, Password string // optional; they win over those in the URL
	// Want is a commit that is needed, or "". When it is there nothing is fetched; when it is missing
	// the fetch happens whatever MinInterval says.
	Want string
}

// mirrorState remembers the last fetch of one repository by this process.
type mirrorState struct {
	url            string
	started, ended time.Time
	err            error
}

type mirrorStates struct {
	mu   sync.Mutex
	byID map[int64]mirrorState
}

func (m *mirrorStates) get(id int64) mirrorState {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.byID[id]
}

func (m *mirrorStates) set(id int64, state mirrorState) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.byID[id] = state
}

// Mirror brings a repository, made by Create before, up to date with an outside one: branches, tags,
// pull request refs and HEAD become equal to those outside. A fetch that ended less than MinInterval ago,
// or that began after this call did, answers for this one too, with its error. Errors: [ErrInvalid] for
// the URL, [ErrNotFound] for the repository here or for Want after the fetch, [CommandError] for the rest;
// none repeats credentials.
func (s *Store) Mirror(ctx context.Context, id int64, m MirrorRequest) error {
	from, err := m.remote(s.options.Mirror)
	if err != nil {
		return err
	}
	if !s.Exists(id) {
		return notFoundRepository(id)
	}
	called := s.options.Now()
	if m.Want != "" {
		if err := checkSHA(m.Want); err != nil {
			return err
		}
		if _, err := s.peel(ctx, id, m.Want); err == nil {
			return nil
		}
	}
	unlock, err := s.locks.lock(ctx, id)
	if err != nil {
		return fmt.Errorf("mirror repository %d: %w", id, err)
	}
	defer unlock()
	if err := s.refresh(ctx, id, called, from, m.Want); err != nil {
		return fmt.Errorf("mirror repository %d: %w", id, err)
	}
	return nil
}

func (m MirrorRequest) remote(o MirrorOptions) (remote, error) {
	from, err := parseRemote(m.URL, o)
	if m.Username != "" || m.Password != "" {
		from.username, from.password = m.Username, m.Password
	}
	if strings.ContainsAny(from.username+from.password, "\x00\r\n") {
		return remote{}, invalidf("clone credentials contain a forbidden character")
	}
	return from, err
}

// refresh fetches unless another fetch answers for this one. The caller holds the repository's lock.
func (s *Store) refresh(ctx context.Context, id int64, called time.Time, from remote, want string) error {
	last := s.mirrors.get(id)
	if last.url != from.url {
		last = mirrorState{}
	}
	recent := !last.ended.IsZero() && s.options.Now().Sub(last.ended) < s.options.Mirror.MinInterval
	shared := last.started.After(called)
	if !shared && (want != "" || !recent) {
		last = mirrorState{url: from.url, started: s.options.Now()}
		last.err = s.fetch(ctx, id, from, want)
		last.ended = s.options.Now()
		if ctx.Err() == nil { // An impatient caller says nothing about the other side.
			s.mirrors.set(id, last)
		}
	}
	if last.err != nil || want == "" {
		return last.err
	}
	_, err := s.peel(ctx, id, want)
	return err
}

func (s *Store) fetch(ctx context.Context, id int64, from remote, want string) error {
	ctx, cancel := context.WithTimeout(ctx, s.options.Mirror.Timeout)
	defer cancel()
	head, err := s.remoteHead(ctx, id, from)
	if err != nil {
		return err
	}
	_, err = s.remoteCommand(ctx, id, from, "fetch", "--quiet", "--prune", "--force", "--no-tags", "--no-auto-gc",
		"--no-recurse-submodules", "--no-write-fetch-head", "--", from.url,
		"+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*", "+refs/pull/*:refs/pull/*")
	if err != nil {
		return err
	}
	s.upkeep.request(id)
	if want != "" {
		s.fetchCommit(ctx, id, from, want)
	}
	if head == "" {
		return nil
	}
	return s.SetDefaultBranch(ctx, id, head)
}

// fetchCommit fetches a commit that no ref leads to any more, when the other side allows it. Whether it
// is there now is checked by the caller.
func (s *Store) fetchCommit(ctx context.Context, id int64, from remote, want string) {
	if _, err := s.peel(ctx, id, want); err == nil {
		return
	}
	_, err := s.remoteCommand(ctx, id, from, "fetch", "--quiet", "--no-tags", "--no-auto-gc",
		"--no-recurse-submodules", "--no-write-fetch-head", "--", from.url, want)
	if err != nil {
		s.log.Debug("fetch by sha failed", "repository_id", id, "sha", want, "error", err)
	}
}

// remoteHead asks for the branch that HEAD names outside; "" when it names none, or not a usable one.
func (s *Store) remoteHead(ctx context.Context, id int64, from remote) (string, error) {
	out, err := s.remoteCommand(ctx, id, from, "ls-remote", "--symref", "--", from.url, "HEAD")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(out)) {
		full, isSymbolic := strings.CutPrefix(line, "ref: ")
		full, name, _ := strings.Cut(strings.TrimSpace(full), "\t")
		branch, isBranch := strings.CutPrefix(full, branchPrefix)
		if isSymbolic && isBranch && name == "HEAD" && CheckBranchName(branch) == nil {
			return branch, nil
		}
	}
	return "", nil
}

// remoteCommand runs a git command that talks to the other side. The credentials go through the
// environment of the askpass script: a command line can be read by every user of the machine.
func (s *Store) remoteCommand(ctx context.Context, id int64, from remote, args ...string) ([]byte, error) {
	follow := "http.followRedirects=initial"
	if s.options.Mirror.AllowURL != nil {
		follow = "http.followRedirects=false"
	}
	c, err := s.command(id, append([]string{"-c", follow}, args...)...)
	if err != nil {
		return nil, err
	}
	c.env = append(from.environment(), "GIT_ASKPASS="+s.layout.askpass(), "GIT_ALLOW_PROTOCOL="+s.protocols(from))
	return s.remotes.output(ctx, c)
}

// protocols is what git itself may speak: the scheme of the address, and https when it redirects there.
func (s *Store) protocols(from remote) string {
	if from.scheme == "http" {
		return "http:https"
	}
	return from.scheme
}

func (r remote) environment() []string {
	env := []string{"GIT_SSH_COMMAND=ssh -oBatchMode=yes"}
	if r.username == "" && r.password == "" {
		return append(env, "PAWL_ASK_SCHEME=none", "PAWL_ASK_HOST=")
	}
	username := r.username
	setDefault(&username, "git") // A token needs some user name to go with.
	return append(env,
		"PAWL_ASK_SCHEME="+r.scheme, "PAWL_ASK_HOST="+r.host,
		"PAWL_ASK_USERNAME="+username, "PAWL_ASK_PASSWORD="+r.password,
	)
}
