package runnergw

import (
	"context"
	"errors"

	"connectrpc.com/connect"
	runnerv1 "gitea.dev/actions-proto-go/runner/v1"

	"github.com/pawl-ci/pawl/db"
)

// reasonRestarted is shown with tasks whose runner began anew.
const reasonRestarted = "the runner restarted"

// Declare implements runner-protocol.md §5. A runner declares itself once, when its process starts: what it had
// before, it knows no longer (known-problems.md C3). No capability of the server is announced, because none of those
// that have a name in the protocol is served yet.
func (s *runnerService) Declare(ctx context.Context, req *connect.Request[runnerv1.DeclareRequest]) (*connect.Response[runnerv1.DeclareResponse], error) {
	c, err := knownRunner(ctx)
	if err != nil {
		return nil, err
	}
	says, err := declaration(req.Msg.Version, req.Msg.Labels, req.Msg.Capabilities)
	if err != nil {
		return nil, err
	}
	r, err := s.g.declare(ctx, c.runner, says)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&runnerv1.DeclareResponse{Runner: runnerMessage(r)}), nil
}

func (g *Gateway) declare(ctx context.Context, r *db.Runner, says db.Declaration) (*db.Runner, error) {
	g.dispatch.end(r.UUID)
	declared, err := g.db.DeclareRunner(ctx, r.ID, says)
	if errors.Is(err, db.ErrNotFound) {
		return nil, errUnregistered
	}
	if err != nil {
		return nil, dbFault(err)
	}
	g.auth.forget(r.UUID)
	lost, err := g.db.LoseRunnerTasks(ctx, r.ID, reasonRestarted)
	if err != nil {
		return nil, dbFault(err)
	}
	if len(lost) > 0 {
		g.log.Warn("runner restarted and lost its tasks", "runner", r.Name, "tasks", len(lost))
	}
	g.deliver.ended(lost...)
	return declared, nil
}
