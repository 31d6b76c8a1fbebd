package runnergw

import (
	"context"
	"errors"

	"connectrpc.com/connect"
	runnerv1 "gitea.dev/actions-proto-go/runner/v1"
	"github.com/google/uuid"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/fault"
	"github.com/pawl-ci/pawl/internal/token"
)

// Register implements runner-protocol.md §3. The runner inherits the scope of the token.
func (s *runnerService) Register(ctx context.Context, req *connect.Request[runnerv1.RegisterRequest]) (*connect.Response[runnerv1.RegisterResponse], error) {
	r, secret, err := s.g.register(ctx, req.Msg)
	if err != nil {
		return nil, err
	}
	m := runnerMessage(r)
	m.Token = secret
	return connect.NewResponse(&runnerv1.RegisterResponse{Runner: m}), nil
}

func (g *Gateway) register(ctx context.Context, m *runnerv1.RegisterRequest) (*db.Runner, string, error) {
	name := printable(m.Name)
	if m.Token == "" || name == "" {
		return nil, "", fault.BadRequest("missing runner token, name")
	}
	scope, err := g.registrationScope(ctx, m.Token)
	if err != nil {
		return nil, "", err
	}
	says, err := declaration(m.Version, registeredLabels(m), m.Capabilities)
	if err != nil {
		return nil, "", err
	}
	secret := token.New()
	r := &db.Runner{
		UUID: uuid.New(), TokenHash: g.tokens.Hash(secret), Name: name, OwnerID: scope.OwnerID, RepoID: scope.RepoID,
		Labels: says.Labels, Version: says.Version, Capabilities: says.Capabilities, IsEphemeral: m.Ephemeral,
	}
	if err := g.db.CreateRunner(ctx, r); err != nil {
		return nil, "", dbFault(err)
	}
	g.log.Info("runner registered", "runner", r.Name, "uuid", r.UUID, "labels", r.Labels, "owner", r.OwnerID, "repo", r.RepoID)
	return r, secret, nil
}

// registeredLabels are the labels, or those that runners sent before there was the field labels.
func registeredLabels(m *runnerv1.RegisterRequest) []string {
	if len(m.Labels) > 0 {
		return m.Labels
	}
	//lint:ignore SA1019 old runners fill only the deprecated fields
	return append(append([]string{}, m.AgentLabels...), m.CustomLabels...)
}

func (g *Gateway) registrationScope(ctx context.Context, secret string) (db.Scope, error) {
	t, err := g.db.RegistrationToken(ctx, g.tokens.Hashes(secret)...)
	if errors.Is(err, db.ErrNotFound) {
		return db.Scope{}, fault.NotFound("runner registration token not found")
	}
	if err != nil {
		return db.Scope{}, dbFault(err)
	}
	if !t.IsActive {
		return db.Scope{}, fault.Forbidden("runner registration token has been invalidated, please use the latest one")
	}
	scope := db.Scope{OwnerID: t.OwnerID, RepoID: t.RepoID}
	exists, err := g.db.ScopeExists(ctx, scope)
	if err != nil {
		return db.Scope{}, dbFault(err)
	}
	if !exists {
		return db.Scope{}, fault.NotFound("the owner or repository of the runner registration token is gone")
	}
	return scope, nil
}
