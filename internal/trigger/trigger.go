// Package trigger turns events (a dispatch, a push, a rerun) into stored runs, and has their workflows started. What
// people say to runs later, such as a cancel, an approval or a review, goes through it too.
//
// A run is stored before its workflow starts, with everything that it needs, in one transaction. Should this process
// die in between, or Temporal be away, the reconciler starts it within seconds; the id of the workflow makes that
// happen exactly once.
package trigger

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/engine"
	"github.com/pawl-ci/pawl/internal/git"
	"github.com/pawl-ci/pawl/internal/workflowfile"
)

// Git is what this package needs of the repositories.
type Git interface {
	ResolveRef(ctx context.Context, repo int64, ref string) (git.Resolved, error)
	Refs(ctx context.Context, repo int64) (map[string]string, error)
	Commit(ctx context.Context, repo int64, sha string) (git.Commit, error)
	WorkflowFiles(ctx context.Context, repo int64, sha string, dirs []string) (git.WorkflowSet, error)
	ReadFile(ctx context.Context, repo int64, sha, path string, limit int64) ([]byte, error)
	Entry(ctx context.Context, repo int64, sha, path string) (git.Entry, error)
	Entries(ctx context.Context, repo int64, sha, dir string) ([]git.Entry, error)
	CommitFiles(ctx context.Context, repo int64, c git.Change) (git.RefUpdate, error)
	ChangedFiles(ctx context.Context, repo int64, before, after string) ([]string, bool, error)
	PushCommits(ctx context.Context, repo int64, u git.RefUpdate, max int) ([]git.PushCommit, int, error)
	Mirror(ctx context.Context, repo int64, m git.MirrorRequest) error
	Lock(ctx context.Context, repo int64) (unlock func(), err error)
}

// Config is what a Service is made of.
type Config struct {
	DB     *db.DB
	Git    Git
	Engine engine.Runs
	Logger *slog.Logger
	Now    func() time.Time
	// RootURL is the address under which links in event payloads are made.
	RootURL string
}

// Service starts, reruns and cancels runs. It is safe for concurrent use.
type Service struct {
	Config
	parsed *lru.Cache[fileKey, parsedFile]
}

// parsedFiles bounds the parsed workflow files kept in memory.
const parsedFiles = 1000

// New makes a Service.
func New(c Config) (*Service, error) {
	parsed, err := lru.New[fileKey, parsedFile](parsedFiles)
	if err != nil {
		return nil, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Service{Config: c, parsed: parsed}, nil
}

// fileKey names the content of a file: the id of its blob, or the sum of its content, and the path that error messages
// show.
type fileKey struct{ blob, path string }

type parsedFile struct {
	workflow *workflowfile.Workflow
	err      error
}

// parse reads a workflow file, from memory when it was read before.
func (s *Service) parse(f git.File) (*workflowfile.Workflow, error) {
	key := fileKey{f.SHA, f.Path}
	if p, ok := s.parsed.Get(key); ok {
		return p.workflow, p.err
	}
	var p parsedFile
	if f.TooLarge {
		p.err = &workflowfile.Error{Problems: []workflowfile.Problem{
			{File: f.Path, Line: 1, Column: 1, Message: "the file is larger than 1 MiB"},
		}}
	} else {
		p.workflow, p.err = workflowfile.Parse(f.Path, f.Content)
	}
	s.parsed.Add(key, p)
	return p.workflow, p.err
}

// parseContent reads a workflow file that is not at hand as one of git's.
func (s *Service) parseContent(path string, content []byte) (*workflowfile.Workflow, error) {
	return s.parse(git.File{Path: path, Content: content, SHA: fmt.Sprintf("sha256:%x", sha256.Sum256(content))})
}
