package apiserver

import (
	"errors"
	"net/http"
	"time"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/accounts"
	"github.com/pawl-ci/pawl/internal/fault"
)

// recheck asks again, every now and then, whether who follows something still may.
type recheck struct {
	call   *call
	guards []guard
	// there is asked too, by a call that passed the guards: whether what is followed is still there.
	there func(*call) error
	next  time.Time
}

func (c *call) newRecheck(guards []guard, there func(*call) error) *recheck {
	return &recheck{call: c, guards: guards, there: there, next: time.Now().Add(c.server.StreamRecheck)}
}

// due does nothing until it is time.
func (r *recheck) due() error {
	if time.Now().Before(r.next) {
		return nil
	}
	r.next = time.Now().Add(r.call.server.StreamRecheck)
	return r.now()
}

// now returns the refusal of who may not follow any more. A check that could not be made, such as one of too many logins, is
// made again next time. It is no call of the client, and does not count as one.
func (r *recheck) now() error {
	again := &call{w: r.call.w, r: r.call.r, server: r.call.server, route: route{unlimited: true}}
	err := again.serve(accounts.CategoryRepository, r.guards, r.there)
	if err == nil || errors.Is(err, db.ErrNotFound) {
		return err
	}
	if status := fault.HTTPStatus(err); status < http.StatusInternalServerError && status != http.StatusTooManyRequests {
		return err
	}
	r.call.server.Logger.WarnContext(r.call.ctx(), "who follows is not asked again", "error", err)
	return nil
}
