package git

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkReads measures what a dispatch and a push cost in git reads, on a commit not seen before.
func BenchmarkReads(b *testing.B) {
	s, c := benchRepository(b)
	sha := c.git("rev-parse", "HEAD")
	update := RefUpdate{Old: c.git("rev-parse", "HEAD~5"), New: sha, Ref: "refs/heads/main"}
	ctx := b.Context()
	reads := map[string]func() error{
		"ResolveRef":    func() error { _, err := s.ResolveRef(ctx, testID, "main"); return err },
		"ResolveTag":    func() error { _, err := s.ResolveRef(ctx, testID, "v1"); return err },
		"Commit":        func() error { _, err := s.Commit(ctx, testID, sha); return err },
		"WorkflowFiles": func() error { _, err := s.WorkflowFiles(ctx, testID, sha, nil); return err },
		"ChangedFiles":  func() error { _, _, err := s.ChangedFiles(ctx, testID, update.Old, sha); return err },
		"PushCommits":   func() error { _, _, err := s.PushCommits(ctx, testID, update, 0); return err },
	}
	for name, read := range reads {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s.cache.forget(testID)
				require.NoError(b, read())
			}
		})
	}
}

func benchRepository(b *testing.B) (*Store, *client) {
	s, c := newRepository(b), newClient(b)
	for range 10 {
		c.commit("x", map[string]string{".github/workflows/ci.yml": string(noise(1, 2000)), "a": "b"})
	}
	c.git("tag", "v1")
	c.seed(s, testID)
	return s, c
}
