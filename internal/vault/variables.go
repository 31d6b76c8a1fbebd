package vault

import (
	"context"

	"github.com/pawl-ci/pawl/db"
)

// Variable returns a variable. Fault: 404, also for what cannot be a name.
func (v *Vault) Variable(ctx context.Context, s db.Scope, name string) (*db.Variable, error) {
	upper, err := CheckName(name)
	if err != nil {
		return nil, named(db.ErrNotFound, "variable", name)
	}
	found, err := v.DB.Variable(ctx, s, upper)
	return found, named(err, "variable", upper)
}

// CreateVariable makes a variable. Faults: 400 for a name or value that breaks a rule, 409 when there is one of its
// name, 404 when its owner or repository is gone.
func (v *Vault) CreateVariable(ctx context.Context, n *db.Variable) error {
	if err := check(n); err != nil {
		return err
	}
	return named(v.DB.CreateVariable(ctx, n), "variable", n.Name)
}

// check brings a variable into the form in which it is stored.
func check(n *db.Variable) (err error) {
	if n.Name, err = CheckName(n.Name); err != nil {
		return err
	}
	n.Description = shorten(n.Description)
	return checkVariableValue(n.Value)
}

// UpdateVariable gives a variable its new name, value and description. Faults: as of CreateVariable, and 404 when there
// is none of the name.
func (v *Vault) UpdateVariable(ctx context.Context, name string, n *db.Variable) error {
	name, err := CheckName(name)
	if err != nil {
		return err
	}
	if n.Name == "" {
		n.Name = name
	}
	if err := check(n); err != nil {
		return err
	}
	return named(v.DB.UpdateVariable(ctx, name, n), "variable", n.Name)
}

// DeleteVariable removes a variable. Faults: 400 for what cannot be a name, 404.
func (v *Vault) DeleteVariable(ctx context.Context, s db.Scope, name string) error {
	name, err := CheckName(name)
	if err != nil {
		return err
	}
	return named(v.DB.DeleteVariable(ctx, s, name), "variable", name)
}
