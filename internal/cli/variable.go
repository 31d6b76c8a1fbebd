package cli

import (
	"context"

	"github.com/pawl-ci/pawl/internal/client"
)

type variableCommands struct {
	List variableList `cmd:"" help:"List variables."`
	Get  variableGet  `cmd:"" help:"Print the value of a variable."`
	Set  variableSet  `cmd:"" help:"Make or replace a variable."`
	Rm   variableRm   `cmd:"" help:"Remove a variable."`
}

type variableList struct{ levelFlags }

// Run lists the variables.
func (c *variableList) Run(ctx context.Context, t *Terminal) error {
	return c.at(ctx, t, func(s *session, level client.Level) error {
		variables, err := s.Variables(ctx, level)
		if err != nil || c.JSON {
			return s.jsonOr(variables, err)
		}
		table := s.table("NAME", "VALUE", "DESCRIPTION")
		for _, v := range variables {
			table.row(plain(v.Name), plain(shorten(v.Value, 60)), plain(v.Description))
		}
		return table.print()
	})
}

type variableGet struct{ oneName }

// Run prints the value as it is.
func (c *variableGet) Run(ctx context.Context, t *Terminal) error {
	return c.at(ctx, t, func(s *session, level client.Level) error {
		v, err := s.Variable(ctx, level, c.Name)
		if err != nil || c.JSON {
			return s.jsonOr(v, err)
		}
		s.say("%s", v.Value)
		return nil
	})
}

type variableSet struct {
	oneName
	Value       *string `arg:"" optional:"" help:"Its value; else it is read from standard input."`
	Description string  `help:"What it is for."`
}

// Run sets the variable.
func (c *variableSet) Run(ctx context.Context, t *Terminal) error {
	if c.Value == nil {
		value, err := ReadValue(t, "value: ")
		if err != nil {
			return err
		}
		c.Value = &value
	}
	return c.at(ctx, t, func(s *session, level client.Level) error {
		if err := s.SetVariable(ctx, level, c.Name, *c.Value, c.Description); err != nil {
			return err
		}
		return s.done(result{Name: c.Name, Result: "set"}, "%s: set", c.Name)
	})
}

type variableRm struct{ oneName }

// Run removes the variable.
func (c *variableRm) Run(ctx context.Context, t *Terminal) error {
	return c.remove(ctx, t, (*client.Client).DeleteVariable)
}
