package apiserver

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/pawl-ci/pawl/db"
)

// maxPage bounds the page number, so that an offset is always a sane number.
const maxPage = 1 << 31

// page is the part of a list that was asked for (rest-api.md §1.6). What is no number counts as absent.
func (c *call) page() db.Page {
	number := min(max(c.number("page"), 1), maxPage)
	limit := c.number("limit")
	switch {
	case limit <= 0:
		limit = c.server.DefaultPageSize
	case limit > c.server.MaxPageSize:
		limit = c.server.MaxPageSize
	}
	return db.Page{Offset: (number - 1) * limit, Limit: limit}
}

// number is a query parameter; one too large for an int is the largest int.
func (c *call) number(name string) int {
	n, err := strconv.Atoi(c.values.Get(name))
	if err != nil && n == 0 {
		return 0
	}
	return n
}

// paginate sets the headers of a list with total entries.
func (c *call) paginate(p db.Page, total int) {
	h := c.w.Header()
	h.Set("X-Total-Count", strconv.Itoa(total))
	h.Set("Access-Control-Expose-Headers", "X-Total-Count, Link")
	u := *c.r.URL
	u.Scheme, u.Host = "", ""
	if link := linkHeader(c.server.rootURL(c.r), u, p, total); link != "" {
		h.Set("Link", link)
	}
}

// linkHeader names the other pages, in the order next, last, first, prev; empty when there is one page. A page beyond
// the end counts as the last.
func linkHeader(root string, u url.URL, p db.Page, total int) string {
	last := max((total+p.Limit-1)/p.Limit, 1)
	current := min(p.Offset/p.Limit+1, last)
	var links []string
	add := func(wanted bool, rel string, page int) {
		if !wanted {
			return
		}
		query := u.Query()
		query.Set("page", strconv.Itoa(page))
		u.RawQuery = query.Encode()
		links = append(links, fmt.Sprintf("<%s%s>; rel=%q", root, u.RequestURI(), rel))
	}
	add(current < last, "next", current+1)
	add(current < last, "last", last)
	add(current > 1, "first", 1)
	add(current > 1, "prev", current-1)
	return strings.Join(links, ",")
}
