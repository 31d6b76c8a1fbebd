package git

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

const (
	// maxFetchRequest bounds what a client may ask of a fetch (its wants and haves), which is also
	// what git http-backend itself would buffer.
	maxFetchRequest = 10 << 20
	bodyInMemory    = 64 << 10
)

// body is a whole, decompressed request body: a small one in memory, a large one in a nameless file. It
// is taken in before git starts, so that a slow or lying client holds no lock and no process.
type body struct {
	memory []byte
	file   *os.File // nil for a small one
	size   int64
}

func (b *body) reader() io.Reader {
	if b.file != nil {
		return b.file
	}
	return bytes.NewReader(b.memory)
}

// peek reads from the start without moving reader.
func (b *body) peek() io.Reader {
	if b.file != nil {
		return io.NewSectionReader(b.file, 0, b.size)
	}
	return bytes.NewReader(b.memory)
}

func (b *body) close() {
	if b.file != nil {
		b.file.Close()
	}
}

// receive takes in the body of a request. Errors are refusals: 400, 413, 415.
func (h *Handler) receive(out *response, r *http.Request, op Operation) (*body, error) {
	if op.advertise {
		return &body{}, nil
	}
	limit := int64(maxFetchRequest)
	if op.Write() {
		limit = h.store.options.MaxPushBytes
	}
	if r.ContentLength > limit {
		return nil, errTooLargeBody(limit)
	}
	raw := &patientReader{r: r.Body, before: out.extendRead}
	defer out.bodyRead()
	plain, err := decompress(raw, r.Header.Get("Content-Encoding"))
	if err != nil {
		return nil, err
	}
	b, err := h.store.spool(plain, limit)
	if raw.err != nil && !errors.Is(raw.err, io.EOF) {
		err = &refusal{http.StatusBadRequest, "request body ended early"}
	}
	if err != nil && b != nil {
		b.close()
	}
	return b, err
}

func errTooLargeBody(limit int64) error {
	return &refusal{http.StatusRequestEntityTooLarge, fmt.Sprintf("request body is larger than %d bytes", limit)}
}

func decompress(r io.Reader, encoding string) (io.Reader, error) {
	switch strings.ToLower(encoding) {
	case "", "identity":
		return r, nil
	case "gzip", "x-gzip":
		plain, err := gzip.NewReader(r)
		if err != nil {
			return nil, &refusal{http.StatusBadRequest, "request body is not gzip"}
		}
		return plain, nil
	}
	return nil, &refusal{http.StatusUnsupportedMediaType, "unsupported content encoding"}
}

// spool keeps what r holds, at most limit bytes.
func (s *Store) spool(r io.Reader, limit int64) (*body, error) {
	var memory bytes.Buffer
	r = &io.LimitedReader{R: r, N: limit + 1}
	size, err := io.CopyN(&memory, r, bodyInMemory)
	if errors.Is(err, io.EOF) {
		b := &body{memory: memory.Bytes(), size: size}
		return b, b.check(limit)
	}
	if err != nil {
		return nil, badBody(err)
	}
	file, err := s.namelessFile()
	if err != nil {
		return nil, err
	}
	b := &body{file: file}
	if b.size, err = io.Copy(file, io.MultiReader(&memory, r)); err != nil {
		return b, badBody(err)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return b, fmt.Errorf("store request body: %w", err)
	}
	return b, b.check(limit)
}

func (b *body) check(limit int64) error {
	if b.size > limit {
		return errTooLargeBody(limit)
	}
	return nil
}

// badBody tells a fault of the client from a fault of our disk.
func badBody(err error) error {
	var disk *os.PathError
	if errors.As(err, &disk) {
		return fmt.Errorf("store request body: %w", err)
	}
	return &refusal{http.StatusBadRequest, "request body is damaged"}
}

// namelessFile opens a temporary file that disappears with the process, however that ends.
func (s *Store) namelessFile() (*os.File, error) {
	file, err := os.CreateTemp(s.layout.tmp(), "body-")
	if err != nil {
		return nil, fmt.Errorf("store request body: %w", err)
	}
	if err := os.Remove(file.Name()); err != nil {
		file.Close()
		return nil, fmt.Errorf("store request body: %w", err)
	}
	return file, nil
}

// patientReader moves the read deadline before each read and remembers the first error.
type patientReader struct {
	r      io.Reader
	before func()
	err    error
}

func (p *patientReader) Read(b []byte) (int, error) {
	p.before()
	n, err := p.r.Read(b)
	if err != nil && p.err == nil {
		p.err = err
	}
	return n, err
}
