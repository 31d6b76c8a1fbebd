package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/pawl-ci/pawl/internal/ci"
)

// RunContext is what expressions and tasks of an attempt see of its run.
type RunContext struct {
	Facts ci.RunFacts
	// Inputs are the typed inputs of a dispatch.
	Inputs map[string]any
	// Vars are the variables as they are now; all else does not change while the attempt exists.
	Vars map[string]string
}

// RunContext reads the context of an attempt.
func (d *DB) RunContext(ctx context.Context, run int64, attempt int) (*RunContext, error) {
	var inputs, vars json.RawMessage
	c := &RunContext{Facts: ci.RunFacts{RunID: run, Attempt: attempt}}
	f := &c.Facts
	err := d.NewRaw(`SELECT r.run_number, r.workflow_name, r.event, r.event_payload, o.login || '/' || p.name,
			coalesce(u.login, ''), coalesce(t.login, ''), r.ref, r.sha, r.inputs,
			`+varsOf("p.owner_id", "p.id")+`
		FROM runs r JOIN attempts a ON a.run_id = r.id AND a.number = ?
		JOIN repositories p ON p.id = r.repo_id JOIN owners o ON o.id = p.owner_id
		LEFT JOIN owners u ON u.id = r.actor_id LEFT JOIN owners t ON t.id = a.trigger_user_id
		WHERE r.id = ?`, attempt, run).
		Scan(ctx, &f.RunNumber, &f.Workflow, &f.Event, &f.EventPayload, &f.Repository, &f.Actor, &f.TriggeringActor,
			&f.Ref, &f.SHA, &inputs, &vars)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("run %d: %w", run, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("context of run %d: %w", run, err)
	}
	if err := json.Unmarshal(inputs, &c.Inputs); err != nil {
		return nil, fmt.Errorf("inputs of run %d: %w", run, err)
	}
	if err := json.Unmarshal(vars, &c.Vars); err != nil {
		return nil, fmt.Errorf("variables of run %d: %w", run, err)
	}
	return c, nil
}
