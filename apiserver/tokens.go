package apiserver

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/fault"
)

func (s *Server) tokenRoutes() []endpoint {
	const tokens = "/users/{username}/tokens"
	ofUser := []guard{isPerson, aboutUser}
	return []endpoint{
		{http.MethodGet, tokens, ofUser, listTokens},
		{http.MethodPost, tokens, ofUser, createToken},
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
	return c.json(http.StatusCreated, showToken(token, text))
}

// deleteToken takes an id, or the name of a token whose name is no number.
func deleteToken(c *call) error {
	name := c.params["token"]
	id, err := strconv.ParseInt(name, 10, 64)
	if err == nil && id <= 0 {
		return errNotFound()
	}
	err = c.server.DB.DeleteAccessToken(c.ctx(), c.target.ID, max(id, 0), name)
	if errors.Is(err, db.ErrNotFound) {
		return fault.NotFound("token not found")
	}
	if err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}
