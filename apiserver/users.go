package apiserver

import (
	"net/http"

	"github.com/pawl-ci/pawl/internal/accounts"
)

func (s *Server) userRoutes() []endpoint {
	return []endpoint{
		{http.MethodGet, "/user", self(), getSelf},
		{http.MethodPost, "/admin/users", siteAdmin(), createUser},
	}
}

func getSelf(c *call) error {
	return c.json(http.StatusOK, showUser(c.server.rootURL(c.r), c.caller.user, c.caller.user))
}

// createUser makes a user who can sign in with the password at once.
func createUser(c *call) error {
	var in struct {
		Username   string `json:"username"`
		FullName   string `json:"full_name"`
		Email      string `json:"email"`
		Password   string `json:"password"`
		Visibility string `json:"visibility"`
	}
	if err := c.bind(&in); err != nil {
		return err
	}
	if err := accounts.CheckPassword(in.Password); in.Username != "" && err != nil {
		return err
	}
	user, err := c.server.accounts.CreateUser(c.ctx(), accounts.NewUser{
		Login: in.Username, FullName: in.FullName, Email: in.Email, Password: in.Password, Visibility: in.Visibility,
	})
	if err != nil {
		return err
	}
	return c.json(http.StatusCreated, showUser(c.server.rootURL(c.r), user, c.caller.user))
}
