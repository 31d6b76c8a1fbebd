package apiserver

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/accounts"
	"github.com/pawl-ci/pawl/internal/fault"
)

func errBadCredentials() error { return fault.Unauthenticated("invalid username, password or token") }

// authenticate finds out who calls (rest-api.md §1.1), within the limits of rate. Credentials that are there must be right,
// even where none are needed.
func (c *call) authenticate() error {
	if !c.sentCredentials() {
		if err := c.spendAnonymous(); err != nil {
			return err
		}
		return c.sudo()
	}
	sent := string(c.server.Tokens.Hash(c.r.Header.Get("Authorization") + "\x00" + c.queryToken()))
	if err := c.mayProve(sent); err != nil {
		return err
	}
	err := c.identify()
	c.proved(sent, err)
	if err != nil {
		return err
	}
	if err := c.spendCaller(); err != nil {
		return err
	}
	return c.sudo()
}

func (c *call) sentCredentials() bool {
	return c.r.Header.Get("Authorization") != "" || c.queryToken() != ""
}

func (c *call) identify() (err error) {
	scheme, value, _ := strings.Cut(c.r.Header.Get("Authorization"), " ")
	switch strings.ToLower(scheme) {
	case "":
		err = c.byQueryToken()
	case "token", "bearer":
		c.caller, err = c.byToken(strings.TrimSpace(value))
	case "basic":
		err = c.byBasic()
	default:
		err = errBadCredentials()
	}
	return err
}

// queryToken is the token in the query, where one may be there.
func (c *call) queryToken() string {
	if c.server.DisableQueryTokens {
		return ""
	}
	return cmp.Or(c.values.Get("token"), c.values.Get("access_token"))
}

// byQueryToken lets a header that names nothing pass, as if there were none.
func (c *call) byQueryToken() (err error) {
	text := c.queryToken()
	if text == "" {
		return nil
	}
	c.w.Header().Set("X-Gitea-Warning", "token and access_token API authentication is deprecated, use the Authorization header")
	c.caller, err = c.byToken(text)
	return err
}

// byToken recognizes personal access tokens and the tokens of tasks that are running.
func (c *call) byToken(text string) (identity, error) {
	hashes := c.server.Tokens.Hashes(text)
	token, user, err := c.server.DB.TokenOwner(c.ctx(), hashes...)
	if err == nil && user.IsActive {
		return identity{
			user: user, token: token, scopes: append(accounts.Scopes{}, token.Scopes...), key: fmt.Sprintf("token %d", token.ID),
		}, nil
	}
	if err != nil && !errors.Is(err, db.ErrNotFound) {
		return identity{}, err
	}
	task, err := c.server.DB.TaskByToken(c.ctx(), hashes...)
	if errors.Is(err, db.ErrNotFound) {
		return identity{}, errBadCredentials()
	}
	if err != nil {
		return identity{}, err
	}
	return identity{user: db.ActionsBot(), task: &task, key: fmt.Sprintf("task %d", task.TaskID)}, nil
}

// byBasic takes a token in either place, or a password.
func (c *call) byBasic() error {
	name, password, ok := c.r.BasicAuth()
	if !ok || !accounts.ValidText(name) || !accounts.ValidText(password) {
		return errBadCredentials()
	}
	text := password
	if password == "" || password == "x-oauth-basic" {
		text = name
	}
	found, err := c.byToken(text)
	if fault.Has(err, fault.CodeUnauthenticated) && text == password {
		found, err = c.byPassword(name, password)
	}
	c.caller = found
	return err
}

// byPassword accepts a user's name or email address. For an unknown user it takes as long as for a wrong password.
func (c *call) byPassword(name, password string) (identity, error) {
	find := c.server.DB.OwnerByLogin
	if strings.Contains(name, "@") {
		find = c.server.DB.OwnerByEmail
	}
	user, err := find(c.ctx(), name)
	if errors.Is(err, db.ErrNotFound) {
		user, err = &db.Owner{}, nil
	}
	if err != nil {
		return identity{}, err
	}
	if !c.server.verifier.Remembers(user.ID, password, user.PasswordHash) {
		if err := c.spendLogin(); err != nil {
			return identity{}, err
		}
	}
	right, err := c.server.verifier.Verify(c.ctx(), user.ID, password, user.PasswordHash)
	if err != nil {
		return identity{}, err
	}
	if !right || !user.IsActive || user.Kind != db.KindUser {
		return identity{}, errBadCredentials()
	}
	return identity{user: user, password: true, key: fmt.Sprintf("user %d", user.ID)}, nil
}

// sudo lets a site admin act as another user.
func (c *call) sudo() error {
	name := c.r.Header.Get("Sudo")
	if name == "" {
		name = c.values.Get("sudo")
	}
	if name == "" {
		return nil
	}
	if c.caller.anonymous() || !c.caller.user.IsAdmin {
		return fault.Forbidden("Only administrators allowed to sudo.")
	}
	if !accounts.ValidText(name) {
		return fault.NotFound("user does not exist")
	}
	user, err := c.server.DB.OwnerByLogin(c.ctx(), name)
	if errors.Is(err, db.ErrNotFound) || (err == nil && (user.Kind != db.KindUser || user.ID == db.ActionsBotID)) {
		return fault.NotFound("user does not exist")
	}
	if err != nil {
		return err
	}
	if user.ID != c.caller.user.ID {
		c.caller.sudoer = c.caller.user
	}
	c.caller.user = user
	return nil
}

// checkScope refuses a token whose scopes do not permit the call (rest-api.md §1.2). Reading is GET and HEAD.
func (c *call) checkScope(category accounts.Category) error {
	if c.caller.scopes == nil || category == "" {
		return nil
	}
	write := c.r.Method != http.MethodGet && c.r.Method != http.MethodHead
	return requireScope(c.caller.scopes, category, write)
}

// mayWrite wants the scope of a write for a read below the path: what is read lets its reader change things.
func mayWrite(path string) guard {
	return func(c *call) error {
		if c.caller.scopes == nil {
			return nil
		}
		return requireScope(c.caller.scopes, scopeCategory(path), true)
	}
}

func requireScope(scopes accounts.Scopes, category accounts.Category, write bool) error {
	if scopes.Allow(category, write) {
		return nil
	}
	level := "read"
	if write {
		level = "write"
	}
	return fault.Forbidden("token does not have at least one of required scope(s), required=[%s:%s], token scope=%s",
		level, category, scopes)
}
