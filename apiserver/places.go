package apiserver

import (
	"fmt"
	"sync"
)

// places bound how many calls of a kind go on at once. One caller has at most a quarter of them, so that it does not keep all
// others out.
type places struct {
	most int

	mu  sync.Mutex
	all int
	by  map[string]int // caller
}

func newPlaces(most int) *places { return &places{most: most, by: map[string]int{}} }

// shareOf is the part of a caller: a quarter, rounded up.
const shareOf = 4

// enter takes a place for a caller until leave is called. ok is false when there is none.
func (p *places) enter(caller string) (leave func(), ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all >= p.most || p.by[caller] >= (p.most+shareOf-1)/shareOf {
		return nil, false
	}
	p.all++
	p.by[caller]++
	return func() { p.leave(caller) }, true
}

func (p *places) leave(caller string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all--
	if p.by[caller]--; p.by[caller] == 0 {
		delete(p.by, caller)
	}
}

// placeKey is whose places the call takes: those of a user, with whatever token, of a task, or of an address.
func (c *call) placeKey() string {
	switch {
	case c.caller.anonymous():
		return c.address()
	case c.caller.task != nil:
		return c.caller.key
	default:
		return fmt.Sprintf("user %d", c.caller.userID())
	}
}
