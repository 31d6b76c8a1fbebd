package apiserver

import (
	"net/http"

	"github.com/pawl-ci/pawl/db"
)

func (s *Server) variableRoutes() []endpoint {
	var out []endpoint
	for _, level := range secretLevels() {
		all := level.prefix + "/actions/variables"
		one := all + "/{variablename}"
		out = append(out,
			endpoint{http.MethodGet, all, level.guards, level.listVariables},
			endpoint{http.MethodGet, one, level.guards, level.getVariable},
			endpoint{http.MethodPost, one, level.guards, level.createVariable},
			endpoint{http.MethodPut, one, level.guards, level.updateVariable},
			endpoint{http.MethodDelete, one, level.guards, level.deleteVariable},
		)
	}
	return out
}

func (l secretLevel) listVariables(c *call) error {
	page := c.page()
	list, total, err := c.server.DB.Variables(c.ctx(), l.scope(c), page)
	if err != nil {
		return err
	}
	out := make([]*apiVariable, len(list))
	for i, v := range list {
		out[i] = showVariable(v)
	}
	c.paginate(page, total)
	return c.json(http.StatusOK, out)
}

func (l secretLevel) getVariable(c *call) error {
	v, err := c.server.vault.Variable(c.ctx(), l.scope(c), c.params["variablename"])
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, showVariable(v))
}

// variableBody reads a body that sets a variable of the level. Only an update looks at its name.
func (l secretLevel) variableBody(c *call) (*db.Variable, error) {
	var in struct {
		Name        string `json:"name"`
		Value       string `json:"value"`
		Description string `json:"description"`
	}
	if err := c.bind(&in); err != nil {
		return nil, err
	}
	if in.Value == "" {
		return nil, required("Value")
	}
	s := l.scope(c)
	return &db.Variable{OwnerID: s.OwnerID, RepoID: s.RepoID, Name: in.Name, Value: in.Value, Description: in.Description}, nil
}

func (l secretLevel) createVariable(c *call) error {
	v, err := l.variableBody(c)
	if err != nil {
		return err
	}
	v.Name = c.params["variablename"]
	if err := c.server.vault.CreateVariable(c.ctx(), v); err != nil {
		return err
	}
	return c.empty(http.StatusCreated)
}

// updateVariable also gives a variable another name, if the body has one.
func (l secretLevel) updateVariable(c *call) error {
	v, err := l.variableBody(c)
	if err != nil {
		return err
	}
	if err := c.server.vault.UpdateVariable(c.ctx(), c.params["variablename"], v); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}

func (l secretLevel) deleteVariable(c *call) error {
	if err := c.server.vault.DeleteVariable(c.ctx(), l.scope(c), c.params["variablename"]); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}
