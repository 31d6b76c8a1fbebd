package git

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Signature is who did something, and when, in the zone of the signer.
type Signature struct {
	Name, Email string
	When        time.Time
}

// Commit is one commit. Text that is not UTF-8 has its bad bytes replaced.
type Commit struct {
	SHA, Tree         string
	Parents           []string
	Author, Committer Signature
	Message           string
}

// Title is the first line of the message.
func (c Commit) Title() string {
	title, _, _ := strings.Cut(strings.TrimLeft(c.Message, "\n"), "\n")
	return strings.TrimSpace(title)
}

// Commit reads one commit; the sha of an annotated tag is followed. A message is cut at 4 MiB.
func (s *Store) Commit(ctx context.Context, id int64, sha string) (Commit, error) {
	if err := checkSHA(sha); err != nil {
		return Commit{}, err
	}
	key := cacheKey{repository: id, sha: sha, question: "commit"}
	return cached(ctx, s, key, func(ctx context.Context) (sized[Commit], error) {
		commits, err := s.commits(ctx, id, []string{sha})
		if err == nil && len(commits) == 0 {
			err = notFoundCommit(sha)
		}
		if err != nil {
			return sized[Commit]{}, err
		}
		return sized[Commit]{commits[0], int64(512 + 2*len(commits[0].Message))}, nil
	})
}

// commits reads those of the given commits that exist, in one process.
func (s *Store) commits(ctx context.Context, id int64, shas []string) ([]Commit, error) {
	names := make([]string, len(shas))
	for i, sha := range shas {
		names[i] = sha + "^{commit}"
	}
	var commits []Commit
	err := s.objects(ctx, id, names, false, func(o object) error {
		commit, err := parseCommit(o.sha, string(o.content))
		commits = append(commits, commit)
		return err
	})
	return commits, err
}

// parseCommit reads the raw form: header lines, an empty line, the message.
func parseCommit(sha, raw string) (Commit, error) {
	c := Commit{SHA: sha}
	header, message, _ := strings.Cut(raw, "\n\n")
	for line := range strings.Lines(header) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch key {
		case "tree":
			c.Tree = value
		case "parent":
			c.Parents = append(c.Parents, value)
		case "author":
			c.Author = parseSignature(value)
		case "committer":
			c.Committer = parseSignature(value)
		}
	}
	c.Message = cleanText(message)
	if !IsSHA(c.Tree) {
		return Commit{}, fmt.Errorf("commit %s has no tree", sha)
	}
	return c, nil
}

// parseSignature reads "Name <email> 1700000000 +0200", and what it can of a damaged one.
func parseSignature(line string) Signature {
	name, rest, _ := strings.Cut(line, "<")
	end := strings.LastIndex(rest, ">")
	if end < 0 {
		return Signature{Name: cleanText(strings.TrimSpace(name)), When: time.Unix(0, 0).UTC()}
	}
	return Signature{
		Name:  cleanText(strings.TrimSpace(name)),
		Email: cleanText(rest[:end]),
		When:  parseWhen(strings.Fields(rest[end+1:])),
	}
}

// maxUnix is the last second of the year 9999: later times have no JSON form.
const maxUnix = 253402300799

func parseWhen(fields []string) time.Time {
	if len(fields) == 0 {
		return time.Unix(0, 0).UTC()
	}
	seconds, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil || seconds < 0 || seconds > maxUnix-24*3600 {
		seconds = 0
	}
	zone := time.UTC
	if len(fields) > 1 {
		zone = parseZone(fields[1])
	}
	return time.Unix(seconds, 0).In(zone)
}

func parseZone(text string) *time.Location {
	at, err := time.Parse("-0700", text)
	if err != nil {
		return time.UTC
	}
	_, offset := at.Zone()
	if offset == 0 {
		return time.UTC
	}
	return time.FixedZone("", offset)
}

// cleanText makes text fit for JSON and for the database, which holds no NUL.
func cleanText(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}
