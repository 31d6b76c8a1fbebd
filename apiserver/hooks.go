package apiserver

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/fault"
	"github.com/pawl-ci/pawl/internal/hook"
)

// hookLevel is one of the places where webhooks are kept.
type hookLevel struct {
	prefix string
	guards []guard
	scope  func(*call) db.HookScope
}

var hookLevels = []hookLevel{
	{"/repos/{owner}/{repo}/hooks", repoAdmin(), func(c *call) db.HookScope { return db.HookScope{RepoID: c.repo.ID} }},
	{"/orgs/{org}/hooks", append(orgOwner(), seesPrivate), func(c *call) db.HookScope { return db.HookScope{OwnerID: c.org.ID} }},
	{"/user/hooks", []guard{isPerson, seesPrivate}, func(c *call) db.HookScope { return db.HookScope{OwnerID: c.caller.user.ID} }},
}

// hookRoutes are those of Gitea, with the deliveries as GitHub has them.
func (s *Server) hookRoutes() []endpoint {
	var all []endpoint
	for _, level := range hookLevels {
		add := func(method, path string, handle func(*call, db.HookScope) error) {
			all = append(all, endpoint{method, level.prefix + path, level.guards, func(c *call) error { return handle(c, level.scope(c)) }})
		}
		add(http.MethodGet, "", listHooks)
		add(http.MethodPost, "", createHook)
		add(http.MethodGet, "/{hook_id}", getHook)
		add(http.MethodPatch, "/{hook_id}", editHook)
		add(http.MethodPost, "/{hook_id}/tests", testHook)
		add(http.MethodGet, "/{hook_id}/deliveries", listDeliveries)
		add(http.MethodGet, "/{hook_id}/deliveries/{delivery_id}", getDelivery)
		add(http.MethodPost, "/{hook_id}/deliveries/{delivery_id}/redeliver", redeliver)
		add(http.MethodDelete, "/{hook_id}", deleteHook)
	}
	return all
}

func listHooks(c *call, scope db.HookScope) error {
	page := c.page()
	hooks, total, err := c.server.DB.Hooks(c.ctx(), scope, page)
	if err != nil {
		return err
	}
	out := make([]*apiHook, len(hooks))
	for i, h := range hooks {
		out[i] = c.server.showHook(h)
	}
	c.paginate(page, total)
	return c.json(http.StatusOK, out)
}

// hook is the one that the path names.
func (c *call) hook(scope db.HookScope) (*db.Hook, error) {
	return c.server.DB.Hook(c.ctx(), scope, c.id("hook_id"))
}

func getHook(c *call, scope db.HookScope) error {
	h, err := c.hook(scope)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, c.server.showHook(h))
}

func deleteHook(c *call, scope db.HookScope) error {
	if err := c.server.DB.DeleteHook(c.ctx(), scope, c.id("hook_id")); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}

// hookTypes are the types of webhooks that are sent; the chat programs that Gitea knows are not among them.
var hookTypes = []string{"gitea", "forgejo", "gogs", hook.TypeGitHub}

// hookOptions is the body that makes or changes a webhook. What is absent stays, or has its default.
type hookOptions struct {
	Type                string            `json:"type"`
	Config              map[string]string `json:"config"`
	Events              []string          `json:"events"`
	BranchFilter        *string           `json:"branch_filter"`
	Active              *bool             `json:"active"`
	AuthorizationHeader *string           `json:"authorization_header"`
}

// createHook makes a webhook. One that names no events gets those of runs and jobs.
func createHook(c *call, scope db.HookScope) error {
	var in hookOptions
	if err := c.bind(&in); err != nil {
		return err
	}
	if err := in.complete(); err != nil {
		return err
	}
	h := &db.Hook{RepoID: scope.RepoID, OwnerID: scope.OwnerID, Type: in.Type, Events: []string{hook.EventRun, hook.EventJob}}
	var secrets hook.Secrets
	if err := in.apply(c.server, h, &secrets); err != nil {
		return err
	}
	err := c.server.DB.CreateHook(c.ctx(), h, func(h *db.Hook) error { return secrets.Seal(c.server.Keys, h) })
	if errors.Is(err, db.ErrTooManyHooks) {
		return fault.Unprocessable("%s", db.ErrTooManyHooks.Error())
	}
	if err != nil {
		return err
	}
	return c.json(http.StatusCreated, c.server.showHook(h))
}

// complete refuses options that a new webhook cannot do with. The texts are those of Gitea.
func (o hookOptions) complete() error {
	switch {
	case o.Type == "":
		return required("Type")
	case o.Config == nil:
		return required("Config")
	case !slices.Contains(hookTypes, o.Type):
		return fault.Unprocessable("Invalid hook type: %s", o.Type)
	}
	for _, name := range []string{"url", "content_type"} {
		if _, given := o.Config[name]; !given {
			return fault.Unprocessable("Missing config option: %s", name)
		}
	}
	return nil
}

// editHook changes what is given.
func editHook(c *call, scope db.HookScope) error {
	var in hookOptions
	if err := c.bind(&in); err != nil {
		return err
	}
	h, err := c.server.DB.UpdateHook(c.ctx(), scope, c.id("hook_id"), func(h *db.Hook) error {
		// Secrets that cannot be opened any more are replaced by what is given.
		secrets, err := hook.OpenSecrets(c.server.Keys, h)
		if err != nil && in.AuthorizationHeader == nil && in.Config["secret"] == "" {
			return fault.Wrap(fault.CodeConflict, err, "the secret of this webhook cannot be read any more; set it again")
		}
		if err := in.apply(c.server, h, &secrets); err != nil {
			return err
		}
		return secrets.Seal(c.server.Keys, h)
	})
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, c.server.showHook(h))
}

// hidden stands for a header that is set and not shown; a client may send it back.
const hidden = "********"

// apply changes a hook and its secrets as the options say. Faults: 422.
func (o hookOptions) apply(s *Server, h *db.Hook, secrets *hook.Secrets) error {
	if err := o.applyConfig(s, h); err != nil {
		return err
	}
	if o.Events != nil {
		events, err := hookEvents(o.Events)
		if err != nil {
			return err
		}
		h.Events = events
	}
	if o.BranchFilter != nil {
		if err := hook.CheckBranchFilter(*o.BranchFilter); err != nil {
			return fault.Unprocessable("is no pattern: %s", err.Error()).In("BranchFilter")
		}
		h.BranchFilter = *o.BranchFilter
	}
	if o.Active != nil {
		h.IsActive = *o.Active
	}
	return o.applySecrets(secrets)
}

func (o hookOptions) applyConfig(s *Server, h *db.Hook) error {
	if address, given := o.Config["url"]; given {
		if err := s.checkHookURL(address); err != nil {
			return err
		}
		h.URL = address
	}
	if kind, given := o.Config["content_type"]; given {
		if kind != "json" && kind != "form" {
			return fault.Unprocessable("Invalid content type")
		}
		h.ContentType = kind
	}
	return nil
}

const (
	maxHookURL    = 2048
	maxHookSecret = 4096
	maxHookEvents = 100
	maxHookEvent  = 64
)

func (o hookOptions) applySecrets(s *hook.Secrets) error {
	if secret, given := o.Config["secret"]; given {
		if len(secret) > maxHookSecret {
			return fault.Unprocessable("is longer than %d bytes", maxHookSecret).In("Config.secret")
		}
		s.Secret = secret
	}
	if header := o.AuthorizationHeader; header != nil && *header != hidden {
		if len(*header) > maxHookSecret || strings.ContainsFunc(*header, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return fault.Unprocessable("is no value of a header").In("AuthorizationHeader")
		}
		s.Authorization = *header
	}
	return nil
}

// hookEvents sorts the events and leaves repetitions out. Those that are never sent are kept all the same.
func hookEvents(events []string) ([]string, error) {
	if len(events) > maxHookEvents {
		return nil, fault.Unprocessable("more than %d", maxHookEvents).In("Events")
	}
	for _, e := range events {
		if e == "" || len(e) > maxHookEvent {
			return nil, fault.Unprocessable("is no name of an event").In("Events")
		}
	}
	out := append([]string{}, events...)
	slices.Sort(out)
	return slices.Compact(out), nil
}

func (s *Server) checkHookURL(address string) error {
	u, err := url.Parse(address)
	if err != nil || len(address) > maxHookURL || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		return fault.Unprocessable("Invalid webhook URL")
	}
	if u.User != nil {
		return fault.Unprocessable("Invalid webhook URL: credentials belong into authorization_header")
	}
	if s.CheckHookURL == nil {
		return nil
	}
	if err := s.CheckHookURL(u); err != nil {
		return fault.Unprocessable("Invalid webhook URL: %s", err.Error())
	}
	return nil
}
