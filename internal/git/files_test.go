package git

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func names(set WorkflowSet) (names []string) {
	for _, f := range set.Files {
		names = append(names, f.Name)
	}
	return names
}

func TestWorkflowFiles(t *testing.T) {
	both := map[string]string{".gitea/workflows/a.yml": "on: push", ".github/workflows/b.yml": "x"}
	tests := []struct {
		name  string
		files map[string]string
		dirs  []string
		dir   string
		want  []string
	}{
		{"none", map[string]string{"README.md": "x"}, nil, "", nil},
		{"gitea first", both, nil, ".gitea/workflows", []string{"a.yml"}},
		{"other order", both, []string{".github/workflows", ".gitea/workflows"}, ".github/workflows", []string{"b.yml"}},
		{"configured", map[string]string{"ci/x.yaml": "x"}, []string{"ci"}, "ci", []string{"x.yaml"}},
		{"empty list", both, []string{}, "", nil},
		{"first exists without workflows", map[string]string{".gitea/workflows/README": "x", ".github/workflows/b.yml": "x"}, nil, ".gitea/workflows", nil},
		{"first is a file", map[string]string{".gitea/workflows": "x", ".github/workflows/b.yml": "x"}, nil, ".github/workflows", []string{"b.yml"}},
		{"recursive, both endings", map[string]string{".github/workflows/b.yaml": "x", ".github/workflows/sub/deep/c.yml": "x", ".github/workflows/d.YML": "x", ".github/workflows/e.yml.bak": "x"},
			nil, ".github/workflows", []string{"b.yaml", "sub/deep/c.yml"}},
		{"similar name", map[string]string{".github/workflows2/b.yml": "x"}, nil, "", nil},
		{"glob characters are plain", map[string]string{"ci/x.yml": "x"}, []string{"c*"}, "", nil},
		{"odd names", map[string]string{".github/workflows/ä b;\"$(x).yml": "x"}, nil, ".github/workflows", []string{"ä b;\"$(x).yml"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, c := newRepository(t), newClient(t)
			sha := c.commit("x", test.files)
			c.seed(s, testID)
			set, err := s.WorkflowFiles(t.Context(), testID, sha, test.dirs)
			require.NoError(t, err)
			require.Equal(t, test.dir, set.Dir)
			require.Equal(t, test.want, names(set))
			require.False(t, set.Truncated)
			for _, f := range set.Files {
				require.Equal(t, test.files[f.Path], string(f.Content))
				require.EqualValues(t, len(f.Content), f.Size)
			}
		})
	}
}

func TestWorkflowFilesLimits(t *testing.T) {
	s, c := newRepository(t), newClient(t)
	files := map[string]string{
		".github/workflows/big.yml":   strings.Repeat("#", maxWorkflowFile+1),
		".github/workflows/fits.yml":  strings.Repeat("#", maxWorkflowFile),
		".github/workflows/empty.yml": "",
	}
	sha := c.commit("sizes", files)
	many := map[string]string{}
	for i := range maxWorkflowFiles + 1 {
		many[fmt.Sprintf(".github/workflows/many/%04d.yml", i)] = "x"
	}
	manySHA := c.commit("many", many)
	c.seed(s, testID)

	set, err := s.WorkflowFiles(t.Context(), testID, sha, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"big.yml", "empty.yml", "fits.yml"}, names(set))
	require.True(t, set.Files[0].TooLarge)
	require.Nil(t, set.Files[0].Content)
	require.EqualValues(t, maxWorkflowFile+1, set.Files[0].Size)
	require.False(t, set.Files[1].TooLarge)
	require.Len(t, set.Files[2].Content, maxWorkflowFile)

	set, err = s.WorkflowFiles(t.Context(), testID, manySHA, nil)
	require.NoError(t, err)
	require.Len(t, set.Files, maxWorkflowFiles)
	require.True(t, set.Truncated)
}

func TestWorkflowFilesTotalLimit(t *testing.T) {
	s, c := newRepository(t), newClient(t)
	files := map[string]string{}
	for i := range 33 {
		files[fmt.Sprintf(".github/workflows/%02d.yml", i)] = strings.Repeat("#", maxWorkflowFile)
	}
	sha := c.commit("much", files)
	c.seed(s, testID)
	set, err := s.WorkflowFiles(t.Context(), testID, sha, nil)
	require.NoError(t, err)
	require.False(t, set.Files[31].TooLarge)
	require.True(t, set.Files[32].TooLarge)
}

func TestWorkflowFilesLeavesOutLinks(t *testing.T) {
	s, c := newRepository(t), newClient(t)
	require.NoError(t, os.MkdirAll(filepath.Join(c.dir, ".github/workflows"), 0o755))
	require.NoError(t, os.Symlink("/etc/passwd", filepath.Join(c.dir, ".github/workflows/link.yml")))
	first := c.commit("link", nil)
	c.git("update-index", "--add", "--cacheinfo", "160000,"+first+",.github/workflows/module.yml")
	c.git("commit", "-q", "-m", "module")
	sha := c.git("rev-parse", "HEAD")
	c.seed(s, testID)
	set, err := s.WorkflowFiles(t.Context(), testID, sha, nil)
	require.NoError(t, err)
	require.Equal(t, ".github/workflows", set.Dir)
	require.Empty(t, set.Files)
}

func TestWorkflowFilesErrors(t *testing.T) {
	s, c := newRepository(t), newClient(t)
	sha := c.commit("x", nil)
	c.seed(s, testID)
	_, err := s.WorkflowFiles(t.Context(), testID, strings.Repeat("1", 40), nil)
	require.ErrorIs(t, err, ErrNotFound)
	for _, dir := range []string{"../x", "/etc", "", "--help/.."} {
		_, err = s.WorkflowFiles(t.Context(), testID, sha, []string{dir})
		require.ErrorIs(t, err, ErrInvalid, dir)
	}
}

// Many callers at once, with and without patience, all get the same answer.
func TestWorkflowFilesConcurrently(t *testing.T) {
	s, c := newRepository(t), newClient(t)
	sha := c.commit("x", map[string]string{".github/workflows/a.yml": "on: push"})
	c.seed(s, testID)
	var wg sync.WaitGroup
	errs := make([]error, 20)
	for i := range errs {
		wg.Go(func() {
			set, err := s.WorkflowFiles(t.Context(), testID, sha, nil)
			if err == nil && len(set.Files) != 1 {
				err = fmt.Errorf("got %d files", len(set.Files))
			}
			errs[i] = err
		})
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
}

func TestReadFile(t *testing.T) {
	s, c := newRepository(t), newClient(t)
	sha := c.commit("x", map[string]string{"dir/a b.txt": "hello\n", "empty": "", "big": strings.Repeat("x", maxObject+5)})
	c.seed(s, testID)
	ctx := t.Context()

	got, err := s.ReadFile(ctx, testID, sha, "dir/a b.txt", 0)
	require.NoError(t, err)
	require.Equal(t, "hello\n", string(got))
	got, err = s.ReadFile(ctx, testID, sha, "empty", 0)
	require.NoError(t, err)
	require.Empty(t, got)
	_, err = s.ReadFile(ctx, testID, sha, "dir/a b.txt", 5)
	require.ErrorIs(t, err, ErrTooLarge)
	_, err = s.ReadFile(ctx, testID, sha, "big", 1<<40)
	require.ErrorIs(t, err, ErrTooLarge)

	var missing *NotFoundError
	for _, path := range []string{"nope", "dir", "dir/nope", "empty/x"} {
		_, err = s.ReadFile(ctx, testID, sha, path, 0)
		require.ErrorAs(t, err, &missing, path)
		require.Equal(t, "path", missing.Kind, path)
	}
	_, err = s.ReadFile(ctx, testID, strings.Repeat("1", 40), "empty", 0)
	require.ErrorAs(t, err, &missing)
	require.Equal(t, "commit", missing.Kind)
	for _, path := range []string{"", "../x", "/etc/passwd", "a\nb", "./empty"} {
		_, err = s.ReadFile(ctx, testID, sha, path, 0)
		require.ErrorIs(t, err, ErrInvalid, path)
	}
}
