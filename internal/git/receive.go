package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
)

const (
	maxHeldReply = 16 << 20
	maxPushFile  = 64 << 20
)

// push runs git receive-pack on a body that has arrived whole. From here on the client does not matter:
// the refs change and OnPush hears of it together, under the repository's lock, which keeps the order
// of pushes. The client learns the result after OnPush.
func (h *Handler) push(out *response, r *http.Request, req Request, b *body) error {
	unlock, err := h.store.locks.lock(r.Context(), req.RepoID)
	if err != nil {
		return err
	}
	defer unlock()
	file, err := h.pushFile()
	if err != nil {
		return err
	}
	defer os.Remove(file)
	lasting := context.WithoutCancel(r.Context())
	ctx, cancel := context.WithTimeout(lasting, h.options.Timeout)
	defer cancel()
	reply := &pushReply{out: out}
	env, config := h.pushSettings(b)
	env = append(append(env, "PAWL_PUSH_FILE="+file), h.cgi(r, req, b.size)...)
	err = h.backend(ctx, out, env, b, func(stdout io.Reader) error {
		_, err := io.Copy(reply, stdout)
		return err
	}, config...)
	h.announce(lasting, req, file)
	reply.finish()
	h.store.upkeep.request(req.RepoID)
	return err
}

// pushSettings chooses the hooks: a push that must not be is refused by a hook, in git's own manner, so
// that the client shows the reason for it.
func (h *Handler) pushSettings(b *body) (env, config []string) {
	hooks := h.store.layout.acceptHooks()
	if reason := objection(b.peek()); reason != "" {
		hooks = h.store.layout.refuseHooks()
		env = append(env, "PAWL_PUSH_REFUSED="+printable(reason))
	}
	limit := fmt.Sprintf("receive.maxInputSize=%d", h.store.options.MaxPushBytes)
	return env, []string{"core.hooksPath=" + hooks, limit}
}

// pushFile is where the post-receive hook of one push writes.
func (h *Handler) pushFile() (string, error) {
	file, err := os.CreateTemp(h.store.layout.tmp(), "push-")
	if err != nil {
		return "", fmt.Errorf("make push file: %w", err)
	}
	return file.Name(), file.Close()
}

// announce tells OnPush what the hook saw.
func (h *Handler) announce(ctx context.Context, req Request, file string) {
	updates, err := readUpdates(file)
	if err != nil {
		h.log.Error("cannot read what a push changed", "repository_id", req.RepoID, "error", err)
	}
	if len(updates) == 0 || h.options.OnPush == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, h.options.OnPushTimeout)
	defer cancel()
	if err := h.options.OnPush(ctx, Push{RepoID: req.RepoID, User: req.User, Updates: updates}); err != nil {
		h.log.Error("push stored but not processed", "repository_id", req.RepoID, "refs", len(updates), "error", err)
	}
}

// readUpdates reads "old new ref" lines.
func readUpdates(path string) ([]RefUpdate, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := readBounded(file, maxPushFile)
	if err != nil && !errors.Is(err, ErrTooLarge) {
		return nil, err
	}
	var updates []RefUpdate
	for line := range strings.Lines(string(text)) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 3)
		if len(fields) == 3 && IsSHA(fields[0]) && IsSHA(fields[1]) && CheckRefName(fields[2]) == nil {
			updates = append(updates, RefUpdate{Old: fields[0], New: fields[1], Ref: fields[2]})
		}
	}
	return updates, err
}

// pushReply passes the progress of a push on at once, which also keeps proxies from giving up, and holds
// the result back from its first byte until finish. A result above 16 MiB is passed on as it comes.
// Errors of the client are swallowed: the push goes on without it.
type pushReply struct {
	out     io.Writer
	pending []byte // begins at a packet
	holding bool
	through bool
}

func (p *pushReply) Write(b []byte) (int, error) {
	p.pending = append(p.pending, b...)
	for !p.holding {
		n := progressPacket(p.pending)
		if n == 0 {
			p.holding = !incompletePacket(p.pending)
			break
		}
		p.send(p.pending[:n])
		p.pending = p.pending[n:]
	}
	if p.through = p.through || len(p.pending) > maxHeldReply; p.through {
		p.finish()
	}
	return len(b), nil
}

// finish sends all that was held.
func (p *pushReply) finish() {
	p.send(p.pending)
	p.pending = nil
}

func (p *pushReply) send(b []byte) {
	if p.out == nil || len(b) == 0 {
		return
	}
	if _, err := p.out.Write(b); err != nil {
		p.out = nil
	}
}

// packetLength reads the four hex digits that begin a packet; 0 when they are not there or not hex.
func packetLength(b []byte) int {
	if len(b) < 4 {
		return 0
	}
	n, err := strconv.ParseUint(string(b[:4]), 16, 16)
	if err != nil {
		return 0
	}
	return int(n)
}

// progressPacket returns the length of the packet that b begins with, if it is there whole and carries
// nothing but progress (band 2) or a sign of life (an empty band 1).
func progressPacket(b []byte) int {
	n := packetLength(b)
	if n < 5 || len(b) < n {
		return 0
	}
	if b[4] == 2 || (b[4] == 1 && n == 5) {
		return n
	}
	return 0
}

// incompletePacket reports whether b may still become a progress packet when more of it arrives.
func incompletePacket(b []byte) bool {
	if len(b) < 5 {
		return len(b) < 4 || packetLength(b) > 4
	}
	return len(b) < packetLength(b) && bytes.IndexByte([]byte{1, 2}, b[4]) >= 0
}
