package git

import (
	"cmp"
	"context"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Entry is what a path of a commit names.
type Entry struct {
	Path string // from the root of the repository
	Type EntryType
	SHA  string
	Size int64 // of a file
}

// EntryType says what an entry is.
type EntryType string

// The types of entries.
const (
	EntryFile      EntryType = "file"
	EntryDirectory EntryType = "dir"
	EntrySymlink   EntryType = "symlink"
	EntrySubmodule EntryType = "submodule"
)

// Entry returns what a path of a commit names; a symbolic link counts as a file. Errors: [ErrInvalid] for the path or
// sha, [ErrNotFound].
func (s *Store) Entry(ctx context.Context, id int64, sha, name string) (Entry, error) {
	if err := cmp.Or(checkSHA(sha), checkPath(name)); err != nil {
		return Entry{}, err
	}
	var found *Entry
	err := s.objects(ctx, id, []string{sha + ":" + name}, true, func(o object) error {
		found = &Entry{Path: name, Type: EntryFile, SHA: o.sha, Size: o.size}
		switch o.kind {
		case "tree":
			found.Type, found.Size = EntryDirectory, 0
		case "commit":
			found.Type, found.Size = EntrySubmodule, 0
		}
		return nil
	})
	if err != nil {
		return Entry{}, err
	}
	if found == nil {
		return Entry{}, s.explainPath(ctx, id, sha, name)
	}
	return *found, nil
}

// Entries lists a directory of a commit, at most 20,000 entries; the empty path is the root. Errors as of Entry.
func (s *Store) Entries(ctx context.Context, id int64, sha, dir string) ([]Entry, error) {
	if err := checkSHA(sha); err != nil {
		return nil, err
	}
	prefix := ""
	if dir != "" {
		e, err := s.Entry(ctx, id, sha, dir)
		if err != nil {
			return nil, err
		}
		if e.Type != EntryDirectory {
			return nil, &NotFoundError{Kind: "path", Name: dir}
		}
		prefix = dir + "/"
	}
	c, err := s.command(id, "ls-tree", "-l", "-z", "--full-tree", sha+":"+dir)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.options.CommandTimeout)
	defer cancel()
	entries := []Entry{}
	err = s.run.stream(ctx, c, func(stdout io.Reader) error {
		return eachRecord(stdout, func(record string) error {
			if len(entries) == maxTreeEntries {
				return errStop
			}
			if e, ok := parseEntry(record); ok {
				e.Path = prefix + e.Path
				entries = append(entries, e)
			}
			return nil
		})
	})
	return entries, s.explain(ctx, id, err, sha)
}

// parseEntry reads "<mode> <type> <sha> <size>\t<name>"; only files have a size. Names that are not UTF-8 are left out.
func parseEntry(record string) (Entry, bool) {
	info, name, ok := strings.Cut(record, "\t")
	fields := strings.Fields(info)
	if !ok || len(fields) != 4 || !utf8.ValidString(name) {
		return Entry{}, false
	}
	e := Entry{Path: name, Type: EntryFile, SHA: fields[2]}
	switch fields[0] {
	case "040000":
		e.Type = EntryDirectory
	case "120000":
		e.Type = EntrySymlink
	case "160000":
		e.Type = EntrySubmodule
	}
	if size, err := strconv.ParseInt(fields[3], 10, 64); err == nil {
		e.Size = size
	}
	return e, true
}
