package apiserver

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"net/http"
	"path"
	"strings"
	"text/template"
	"unicode"
	"unicode/utf8"

	"github.com/pawl-ci/pawl/internal/ci"
)

func (s *Server) badgeRoutes() []webRoute {
	// Addresses of badges have the slashes of a file in a directory as they are.
	return []webRoute{{http.MethodGet, "/{owner}/{repo}/actions/workflows/{workflow_id:.+}/badge.svg", serveBadge}}
}

// badgeMaxAge is for how many seconds a badge may be shown without a look at whether it has changed.
const badgeMaxAge = 30

// serveBadge draws the status of the newest run of a workflow file: on ?branch=, or else on the default branch, and by
// ?event= if it is given.
func serveBadge(c *call) error {
	if err := c.enterRepo(false); err != nil {
		return err
	}
	file, branch := c.params["workflow_id"], c.values.Get("branch")
	if branch == "" {
		branch = c.repo.DefaultBranch
	}
	status, err := c.server.DB.LatestStatus(c.ctx(), c.repo.ID, file, "refs/heads/"+branch, c.values.Get("event"))
	if err != nil {
		return err
	}
	image, err := drawBadge(strings.TrimSuffix(path.Base(file), path.Ext(file)), status)
	if err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("Content-Type", "image/svg+xml; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", fmt.Sprintf("%s, max-age=%d, must-revalidate", c.cacheScope(), badgeMaxAge))
	h.Set("ETag", etagOf(image))
	if strings.Contains(c.r.Header.Get("If-None-Match"), h.Get("ETag")) {
		return c.empty(http.StatusNotModified)
	}
	_, _ = c.w.Write(image) // an error means that nobody listens any more
	return nil
}

// cacheScope keeps badges of repositories that are not for everybody out of caches that many share.
func (c *call) cacheScope() string {
	if c.repo.IsPrivate || c.repo.Owner.Visibility != "public" {
		return "private"
	}
	return "public"
}

func etagOf(body []byte) string {
	sum := fnv.New64a()
	_, _ = sum.Write(body) // never fails
	return fmt.Sprintf(`"%x"`, sum.Sum64())
}

// badgeColors are those of the right half.
var badgeColors = map[ci.Status]string{
	ci.StatusSuccess: "#2da44e", ci.StatusFailure: "#cf222e", ci.StatusCancelled: "#6e7781", ci.StatusSkipped: "#6e7781",
	ci.StatusRunning: "#bf8700", ci.StatusCancelling: "#bf8700", ci.StatusWaiting: "#bf8700", ci.StatusBlocked: "#bf8700",
}

// badge is what the template draws; widths are in pixels.
type badge struct {
	Label, Status, Color    string
	LabelWidth, StatusWidth int
}

func (b badge) Width() int       { return b.LabelWidth + b.StatusWidth }
func (b badge) LabelAt() string  { return half(b.LabelWidth) }
func (b badge) StatusAt() string { return half(2*b.LabelWidth + b.StatusWidth) }

func half(n int) string { return fmt.Sprintf("%.1f", float64(n)/2) }

// maxBadgeLabel is how many characters of a file's name a badge shows.
const maxBadgeLabel = 60

func drawBadge(label string, status ci.Status) ([]byte, error) {
	b := badge{Label: shorten(label), Status: status.String(), Color: badgeColors[status]}
	if status == ci.StatusUnknown {
		b.Status, b.Color = "no status", "#6e7781"
	}
	b.LabelWidth, b.StatusWidth = textWidth(b.Label), textWidth(b.Status)
	var image bytes.Buffer
	if err := badgeTemplate.Execute(&image, b); err != nil {
		return nil, fmt.Errorf("draw badge: %w", err)
	}
	return image.Bytes(), nil
}

// shorten also leaves out what XML cannot hold.
func shorten(label string) string {
	runes := []rune(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, label))
	if len(runes) <= maxBadgeLabel {
		return string(runes)
	}
	return string(runes[:maxBadgeLabel-1]) + "…"
}

// textWidth is about how wide a text is in an 11 pixel sans-serif font, with room on both sides.
func textWidth(text string) int { return utf8.RuneCountInString(text)*7 + 10 }

// badgeTemplate escapes the label, which is a part of the address and may be anything.
var badgeTemplate = template.Must(template.New("badge").Parse(`<svg xmlns="http://www.w3.org/2000/svg" width="{{.Width}}" height="20" role="img" aria-label="{{.Label | html}}: {{.Status}}">
<title>{{.Label | html}}: {{.Status}}</title>
<rect width="{{.LabelWidth}}" height="20" fill="#444d56"/>
<rect x="{{.LabelWidth}}" width="{{.StatusWidth}}" height="20" fill="{{.Color}}"/>
<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">
<text x="{{.LabelAt}}" y="14">{{.Label | html}}</text>
<text x="{{.StatusAt}}" y="14">{{.Status}}</text>
</g>
</svg>
`))
