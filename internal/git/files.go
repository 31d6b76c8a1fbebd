package git

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	maxWorkflowFiles = 500
	maxWorkflowFile  = 1 << 20
	maxWorkflowBytes = 32 << 20
	maxTreeEntries   = 20_000
	defaultReadLimit = 1 << 20
)

// DefaultWorkflowDirs returns the directories that are looked for, best first (execution-semantics.md §9.1).
func DefaultWorkflowDirs() []string { return []string{".gitea/workflows", ".github/workflows"} }

// File is one workflow file.
type File struct {
	Path     string // from the root of the repository
	Name     string // below the directory: "ci.yml", "nightly/build.yaml"
	SHA      string // of the blob
	Size     int64
	Content  []byte
	TooLarge bool // above 1 MiB, or above 32 MiB together with the files before it: no content
}

// WorkflowSet is the workflow files of one commit. It is shared: do not change it.
type WorkflowSet struct {
	Dir       string // "" when none of the directories is there
	Files     []File // in the order of the tree
	Truncated bool   // there are more than 500 files, or more than 20,000 entries
}

// WorkflowFiles reads the .yml and .yaml files, at any depth, of the first of dirs that is there at the
// commit; nil dirs means [DefaultWorkflowDirs]. Symbolic links, submodules and names that are not UTF-8
// are left out.
func (s *Store) WorkflowFiles(ctx context.Context, id int64, sha string, dirs []string) (WorkflowSet, error) {
	if err := checkSHA(sha); err != nil {
		return WorkflowSet{}, err
	}
	if dirs == nil {
		dirs = DefaultWorkflowDirs()
	}
	for _, dir := range dirs {
		if err := checkPath(dir); err != nil {
			return WorkflowSet{}, err
		}
	}
	key := cacheKey{repository: id, sha: sha, question: "workflows\n" + strings.Join(dirs, "\n")}
	return cached(ctx, s, key, func(ctx context.Context) (sized[WorkflowSet], error) {
		return s.readWorkflows(ctx, id, sha, dirs)
	})
}

func (s *Store) readWorkflows(ctx context.Context, id int64, sha string, dirs []string) (sized[WorkflowSet], error) {
	if len(dirs) == 0 {
		return sized[WorkflowSet]{}, nil
	}
	entries, more, err := s.tree(ctx, id, sha, dirs)
	if err != nil {
		return sized[WorkflowSet]{}, err
	}
	set := chooseWorkflows(entries, dirs)
	set.Truncated = set.Truncated || more
	bytes, err := s.fill(ctx, id, set.Files)
	return sized[WorkflowSet]{set, bytes}, err
}

// treeEntry is one file of a tree.
type treeEntry struct {
	mode, sha string
	size      int64
	path      string
}

// tree lists the files below some directories of a commit, at most 20,000.
func (s *Store) tree(ctx context.Context, id int64, sha string, dirs []string) (entries []treeEntry, more bool, err error) {
	args := append([]string{"ls-tree", "-r", "-l", "-z", "--full-tree", sha + "^{tree}", "--"}, dirs...)
	c, err := s.command(id, args...)
	if err != nil {
		return nil, false, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.options.CommandTimeout)
	defer cancel()
	err = s.run.stream(ctx, c, func(stdout io.Reader) error {
		return eachRecord(stdout, func(record string) error {
			if len(entries) == maxTreeEntries {
				more = true
				return errStop
			}
			if entry, ok := parseTreeEntry(record); ok {
				entries = append(entries, entry)
			}
			return nil
		})
	})
	return entries, more, s.explain(ctx, id, err, sha)
}

// parseTreeEntry reads "<mode> <type> <sha> <size>\t<path>".
func parseTreeEntry(record string) (treeEntry, bool) {
	info, name, ok := strings.Cut(record, "\t")
	fields := strings.Fields(info)
	if !ok || len(fields) != 4 {
		return treeEntry{}, false
	}
	size, err := strconv.ParseInt(fields[3], 10, 64) // "-" for a submodule
	return treeEntry{mode: fields[0], sha: fields[2], size: size, path: name}, err == nil
}

func chooseWorkflows(entries []treeEntry, dirs []string) WorkflowSet {
	for _, dir := range dirs {
		set, found := WorkflowSet{Dir: dir}, false
		for _, entry := range entries {
			name, below := strings.CutPrefix(entry.path, dir+"/")
			found = found || below
			if !below || !isWorkflow(entry) {
				continue
			}
			if len(set.Files) == maxWorkflowFiles {
				set.Truncated = true
				break
			}
			set.Files = append(set.Files, File{Path: entry.path, Name: name, SHA: entry.sha, Size: entry.size})
		}
		if found {
			return set
		}
	}
	return WorkflowSet{}
}

func isWorkflow(e treeEntry) bool {
	extension := path.Ext(e.path)
	regular := e.mode == "100644" || e.mode == "100755" || e.mode == "100664"
	return regular && (extension == ".yml" || extension == ".yaml") && utf8.ValidString(e.path)
}

// fill reads the content of the files in one process and returns about how much memory they take.
func (s *Store) fill(ctx context.Context, id int64, files []File) (int64, error) {
	var names []string
	var wanted []*File
	var total int64
	for i := range files {
		file := &files[i]
		if file.Size > maxWorkflowFile || total+file.Size > maxWorkflowBytes {
			file.TooLarge = true
			continue
		}
		total += file.Size
		names, wanted = append(names, file.SHA), append(wanted, file)
	}
	bytes := total + int64(256*len(files)+256)
	if len(names) == 0 {
		return bytes, nil
	}
	return bytes, s.objects(ctx, id, names, false, func(o object) error {
		wanted[o.index].Content = o.content
		return nil
	})
}

// ReadFile returns one file of a commit, at most limit bytes (0 means 1 MiB, never more than 4 MiB).
// Errors: [ErrInvalid] for the path or sha, [ErrNotFound] also when the path is no file, [ErrTooLarge].
func (s *Store) ReadFile(ctx context.Context, id int64, sha, name string, limit int64) ([]byte, error) {
	if err := cmp.Or(checkSHA(sha), checkPath(name)); err != nil {
		return nil, err
	}
	if limit <= 0 {
		limit = defaultReadLimit
	}
	limit = min(limit, maxObject)
	var file *object
	err := s.objects(ctx, id, []string{sha + ":" + name}, false, func(o object) error {
		file = &o
		return errStop // There is no more, and the file may be huge.
	})
	switch {
	case err != nil:
		return nil, err
	case file == nil || file.kind != "blob":
		return nil, s.explainPath(ctx, id, sha, name)
	case file.size > limit:
		return nil, fmt.Errorf("file %q has %d bytes, more than %d: %w", name, file.size, limit, ErrTooLarge)
	}
	return file.content, nil
}

// explainPath says whether the commit or only the path is missing.
func (s *Store) explainPath(ctx context.Context, id int64, sha, name string) error {
	if _, err := s.peel(ctx, id, sha); err != nil {
		return err
	}
	return &NotFoundError{Kind: "path", Name: name}
}

// explain turns the failure of a command into a missing commit, when one of those it was given is missing.
func (s *Store) explain(ctx context.Context, id int64, err error, shas ...string) error {
	var failed *CommandError
	if !errors.As(err, &failed) {
		return err
	}
	for _, sha := range shas {
		if _, gone := s.peel(ctx, id, sha); missing(gone, sha) {
			return gone
		}
	}
	return err
}

// eachRecord calls use for every NUL-terminated record.
func eachRecord(r io.Reader, use func(string) error) error {
	reader := bufio.NewReaderSize(r, 32<<10)
	for {
		record, err := readRecord(reader)
		if errors.Is(err, io.EOF) && record == "" {
			return nil
		}
		if err != nil {
			return err
		}
		if err := use(record); err != nil {
			return err
		}
	}
}

// readRecord reads up to a NUL, which it drops; a record above 64 KiB is an error.
func readRecord(r *bufio.Reader) (string, error) {
	var record []byte
	for {
		part, err := r.ReadSlice(0)
		record = append(record, part...)
		switch {
		case err == nil:
			return string(record[:len(record)-1]), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return string(record), err
		case len(record) > 64<<10:
			return "", fmt.Errorf("path above 64 KiB: %w", ErrTooLarge)
		}
	}
}
