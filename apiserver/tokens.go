package apiserver

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/fault"
)

func (s *Server) tokenRoutes() []endpoint {
	const tokens = "/users/{username}/tokens"
	ofUser := []guard{isPerson, aboutUser}
	return []endpoint{
		{http.MethodGet, tokens, ofUser, listTokens},
		{http.MethodPost, tokens, ofUser, createToken},
		{http.MethodGet, tokens + "/{token}", ofUser, getToken},
		{http.MethodDelete, tokens + "/{token}", ofUser, deleteToken},
	}
}

func listTokens(c *call) error {
	page := c.page()
	tokens, total, err := c.server.DB.AccessTokens(c.ctx(), c.target.ID, page)
	if err != nil {
		return err
	}
	out := make([]*apiToken, len(tokens))
	for i, t := range tokens {
		out[i] = showToken(t, "")
	}
	c.paginate(page, total)
	return c.json(http.StatusOK, out)
}

func createToken(c *call) error {
	var in struct {
		Name   string   `json:"name"`
		Scopes []string `json:"scopes"`
	}
	if err := c.bind(&in); err != nil {
		return err
	}
	text, token, err := c.server.accounts.CreateToken(c.ctx(), c.target.ID, in.Name, in.Scopes)
	if err != nil {
		return err
	}
	c.note("scopes", strings.Join(token.Scopes, ","))
	return c.json(http.StatusCreated, showToken(token, text))
}

// tokenParam is the token that the path names: by an id, or by a name that is no number; then the id is 0.
func (c *call) tokenParam() (id int64, name string, err error) {
	name = c.params["token"]
	id, err = strconv.ParseInt(name, 10, 64)
	if err == nil && id <= 0 {
		return 0, "", fault.NotFound("token not found")
	}
	return max(id, 0), name, nil
}

func getToken(c *call) error {
	id, name, err := c.tokenParam()
	if err != nil {
		return err
	}
	t, err := c.server.DB.AccessToken(c.ctx(), c.target.ID, id, name)
	if errors.Is(err, db.ErrNotFound) {
		return fault.NotFound("token not found")
	}
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, showToken(t, ""))
}

func deleteToken(c *call) error {
	id, name, err := c.tokenParam()
	if err != nil {
		return err
	}
	err = c.server.DB.DeleteAccessToken(c.ctx(), c.target.ID, id, name)
	if errors.Is(err, db.ErrNotFound) {
		return fault.NotFound("token not found")
	}
	if err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}
