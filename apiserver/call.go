package apiserver

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/gorilla/mux"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/accounts"
	"github.com/pawl-ci/pawl/internal/fault"
)

// call is one request with what has been found out about it. Guards fill it in, handlers read it.
type call struct {
	w      http.ResponseWriter
	r      *http.Request
	server *Server

	params map[string]string // of the path, unescaped
	values url.Values        // of the query
	caller identity

	repo   *db.Repository // after inRepo
	access db.Access      // after inRepo
	org    *db.Owner      // after inOrg
	target *db.Owner      // after aboutUser or visibleOwner
}

func (c *call) ctx() context.Context { return c.r.Context() }

// readPath takes the parameters out of path and query. What Postgres cannot hold as text cannot be the name of
// anything: 404 in the path, 400 in the query.
func (c *call) readPath() error {
	c.params = map[string]string{}
	for name, escaped := range mux.Vars(c.r) {
		value, err := url.PathUnescape(escaped)
		if err != nil || !accounts.ValidText(value) {
			return errNotFound()
		}
		c.params[name] = value
	}
	c.values = c.r.URL.Query()
	for name, list := range c.values {
		for _, value := range append(list, name) {
			if !accounts.ValidText(value) {
				return fault.BadRequest("the query is not valid text")
			}
		}
	}
	return nil
}

// id is a parameter of the path as a number; what is none acts as 0, which nothing has (rest-api.md §1.3).
func (c *call) id(name string) int64 {
	id, err := strconv.ParseInt(c.params[name], 10, 64)
	if err != nil || id < 0 {
		return 0
	}
	return id
}

// flag is a query parameter that may be absent or malformed: then it is nil.
func (c *call) flag(name string) *bool {
	value, err := strconv.ParseBool(c.values.Get(name))
	if err != nil {
		return nil
	}
	return &value
}

// isSet tells whether a query parameter is true.
func (c *call) isSet(name string) bool {
	value := c.flag(name)
	return value != nil && *value
}

func errNotFound() error { return fault.NotFound("not found") }
