package apiserver

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/fault"
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

// cursorParam asks for a list by cursor instead of by page: empty for the start of the list, else as the last answer gave
// it. Such pages are not counted, and entries that come meanwhile shift nothing.
const cursorParam = "cursor"

// What the keys of cursors are, and so which lists understand them.
const (
	cursorOfNumbers  = "number" // runs of a repository, by number
	cursorOfRuns     = "run"
	cursorOfJobs     = "job"
	cursorOfJobsDown = "job-desc"
	cursorOfTasks    = "task"
)

// seekPage is page, or by cursor. A cursor of another kind of list is refused.
func (c *call) seekPage(kind string) (db.Page, error) {
	p := c.page()
	if !c.values.Has(cursorParam) {
		return p, nil
	}
	p.Offset, p.Keyset = 0, true
	cursor := c.values.Get(cursorParam)
	if cursor == "" {
		return p, nil
	}
	var ok bool
	if p.After, ok = readCursor(kind, cursor); !ok {
		return p, fault.BadRequest("invalid cursor %q", cursor)
	}
	return p, nil
}

// writeCursor is opaque to clients, so that what orders a list may change.
func writeCursor(kind string, key int64) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s:%d", kind, key))
}

func readCursor(kind, cursor string) (key int64, ok bool) {
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return 0, false
	}
	digits, ours := strings.CutPrefix(string(text), kind+":")
	key, err = strconv.ParseInt(digits, 10, 64)
	return key, ours && err == nil && key > 0
}

// apiListed is what is said of a long list beside its entries.
type apiListed struct {
	// TotalCount is absent where a cursor was asked for.
	TotalCount *int `json:"total_count,omitempty"`
	// NextCursor is the cursor of the next page, absent at the end.
	NextCursor string `json:"next_cursor,omitempty"`
}

// listed sets the headers of a long list, and returns what its body says too.
func (c *call) listed(kind string, p db.Page, l db.Listed) apiListed {
	if !p.Keyset {
		c.paginateLong(p, l)
		return apiListed{TotalCount: &l.Total}
	}
	var out apiListed
	if l.Next != 0 {
		out.NextCursor = writeCursor(kind, l.Next)
	}
	c.expose()
	c.setLinks(cursorLinks(c.server.rootURL(c.r), c.ownURL(), p, out.NextCursor))
	return out
}

// paginateLong does as paginate where the total is known. Where counting stopped, X-Total-Count says how far that went,
// and there is no last page to name.
func (c *call) paginateLong(p db.Page, l db.Listed) {
	if !l.Partial {
		c.paginate(p, l.Total)
		return
	}
	c.expose("X-Total-Count-Partial")
	c.w.Header().Set("X-Total-Count", strconv.Itoa(l.Total))
	c.w.Header().Set("X-Total-Count-Partial", "true")
	links := newLinks(c.server.rootURL(c.r), c.ownURL())
	current := p.Offset/p.Limit + 1
	links.page(l.Next != 0, "next", current+1)
	links.page(current > 1, "first", 1)
	links.page(current > 1, "prev", current-1)
	c.setLinks(links.String())
}

// paginate sets the headers of a list with total entries.
func (c *call) paginate(p db.Page, total int) {
	c.expose()
	c.w.Header().Set("X-Total-Count", strconv.Itoa(total))
	c.setLinks(linkHeader(c.server.rootURL(c.r), c.ownURL(), p, total))
}

// expose lets scripts of other origins read the headers of lists.
func (c *call) expose(more ...string) {
	c.w.Header().Set("Access-Control-Expose-Headers", strings.Join(append([]string{"X-Total-Count", "Link"}, more...), ", "))
}

func (c *call) setLinks(header string) {
	if header != "" {
		c.w.Header().Set("Link", header)
	}
}

// ownURL is what was asked for, without the server.
func (c *call) ownURL() url.URL {
	u := *c.r.URL
	u.Scheme, u.Host = "", ""
	return u
}

// linkHeader names the other pages, in the order next, last, first, prev; empty when there is one page. A page beyond
// the end counts as the last.
func linkHeader(root string, u url.URL, p db.Page, total int) string {
	last := max((total+p.Limit-1)/p.Limit, 1)
	current := min(p.Offset/p.Limit+1, last)
	links := newLinks(root, u)
	links.page(current < last, "next", current+1)
	links.page(current < last, "last", last)
	links.page(current > 1, "first", 1)
	links.page(current > 1, "prev", current-1)
	return links.String()
}

// cursorLinks names the next page and the first. There is no way back: a client has seen what was before.
func cursorLinks(root string, u url.URL, p db.Page, next string) string {
	links := newLinks(root, u)
	links.without("page")
	links.add(next != "", "next", cursorParam, next)
	links.add(p.After != 0, "first", cursorParam, "")
	return links.String()
}

// pageLinks makes a Link header of URLs that differ from one in one parameter.
type pageLinks struct {
	root  string
	url   url.URL
	query url.Values
	links []string
}

func newLinks(root string, u url.URL) *pageLinks {
	return &pageLinks{root: root, url: u, query: u.Query()}
}

func (l *pageLinks) page(wanted bool, rel string, number int) {
	l.add(wanted, rel, "page", strconv.Itoa(number))
}

func (l *pageLinks) without(name string) { l.query.Del(name) }

func (l *pageLinks) add(wanted bool, rel, name, value string) {
	if !wanted {
		return
	}
	l.query.Set(name, value)
	l.url.RawQuery = l.query.Encode()
	l.links = append(l.links, fmt.Sprintf("<%s%s>; rel=%q", l.root, l.url.RequestURI(), rel))
}

// String is the value of the header, empty without links.
func (l *pageLinks) String() string { return strings.Join(l.links, ",") }
