package git

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// object is one answer of git cat-file.
type object struct {
	index   int // of the name that was asked for
	sha     string
	kind    string
	size    int64
	content []byte // the first maxObject bytes; nil when only the header was asked for
}

// maxObject bounds what is kept of one object.
const maxObject = 4 << 20

// objects asks for objects by name in one process and hands those that exist to use, in order. Names
// must hold no newline. With headers set only type and size are read. When use returns errStop the rest
// is not read.
func (s *Store) objects(ctx context.Context, id int64, names []string, headers bool, use func(object) error) error {
	mode := "--batch"
	if headers {
		mode = "--batch-check"
	}
	c, err := s.command(id, "cat-file", mode)
	if err != nil {
		return err
	}
	c.stdin = strings.NewReader(strings.Join(names, "\n") + "\n")
	ctx, cancel := context.WithTimeout(ctx, s.options.CommandTimeout)
	defer cancel()
	return s.run.stream(ctx, c, func(stdout io.Reader) error {
		r := bufio.NewReaderSize(stdout, 32<<10)
		for i := range names {
			if err := readObject(r, i, headers, use); err != nil {
				return err
			}
		}
		return nil
	})
}

func readObject(r *bufio.Reader, index int, headerOnly bool, use func(object) error) error {
	line, err := r.ReadString('\n')
	if err != nil {
		return fmt.Errorf("read object header: %w", err)
	}
	o, ok := parseObjectHeader(strings.TrimSuffix(line, "\n"))
	if !ok { // "<name> missing" or "<name> ambiguous"
		return nil
	}
	o.index = index
	if headerOnly {
		return use(o)
	}
	o.content = make([]byte, min(o.size, maxObject))
	if _, err := io.ReadFull(r, o.content); err != nil {
		return fmt.Errorf("read object: %w", err)
	}
	if err := use(o); err != nil {
		return err
	}
	rest := o.size - int64(len(o.content)) + 1 // and the newline after it
	if _, err := io.CopyN(io.Discard, r, rest); err != nil {
		return fmt.Errorf("read object: %w", err)
	}
	return nil
}

// parseObjectHeader reads "<sha> <type> <size>".
func parseObjectHeader(line string) (object, bool) {
	fields := strings.Split(line, " ")
	if len(fields) != 3 || !IsSHA(fields[0]) {
		return object{}, false
	}
	size, err := strconv.ParseInt(fields[2], 10, 64)
	return object{sha: fields[0], kind: fields[1], size: size}, err == nil && size >= 0
}
