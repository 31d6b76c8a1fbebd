package runnergw

import (
	"context"
	"strings"
	"unicode/utf8"

	"connectrpc.com/connect"
	pingv1 "gitea.dev/actions-proto-go/ping/v1"
	"gitea.dev/actions-proto-go/ping/v1/pingv1connect"
	runnerv1 "gitea.dev/actions-proto-go/runner/v1"
	"gitea.dev/actions-proto-go/runner/v1/runnerv1connect"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/fault"
)

// pingService answers without authentication: runners call it until the server is up.
type pingService struct{}

var _ pingv1connect.PingServiceHandler = pingService{}

// Ping implements runner-protocol.md §1.
func (pingService) Ping(_ context.Context, req *connect.Request[pingv1.PingRequest]) (*connect.Response[pingv1.PingResponse], error) {
	return connect.NewResponse(&pingv1.PingResponse{Data: "Hello, " + req.Msg.Data + "!"}), nil
}

// runnerService decodes, calls the gateway, and encodes.
type runnerService struct{ g *Gateway }

var _ runnerv1connect.RunnerServiceHandler = (*runnerService)(nil)

// knownRunner is who calls a method that only registered runners may call.
func knownRunner(ctx context.Context) (*caller, error) {
	c := callerFrom(ctx)
	if c == nil || c.runner == nil {
		return nil, errUnregistered
	}
	return c, nil
}

// Limits of what runners say of themselves.
const (
	maxNameRunes    = 255
	maxLabels       = 256
	maxLabelBytes   = 255
	maxCapabilities = 64
)

// declaration checks what a runner says of itself at registration and at each start.
func declaration(version string, labels, capabilities []string) (db.Declaration, error) {
	labels, err := nameList("labels", labels, maxLabels)
	if err != nil {
		return db.Declaration{}, err
	}
	capabilities, err = nameList("capabilities", capabilities, maxCapabilities)
	return db.Declaration{Version: printable(version), Labels: labels, Capabilities: capabilities}, err
}

// nameList drops empty and repeated names.
func nameList(field string, names []string, most int) ([]string, error) {
	list := make([]string, 0, min(len(names), most))
	seen := map[string]bool{}
	for _, name := range names {
		name = strings.TrimSpace(strings.ReplaceAll(name, "\x00", ""))
		switch {
		case name == "" || seen[name]:
			continue
		case len(name) > maxLabelBytes:
			return nil, fault.BadRequest("a name may have %d bytes", maxLabelBytes).In(field)
		case len(list) == most:
			return nil, fault.BadRequest("there may be %d", most).In(field)
		}
		seen[name] = true
		list = append(list, name)
	}
	return list, nil
}

// printable cuts a name to maxNameRunes and drops the one character that Postgres does not take.
func printable(name string) string {
	name = strings.TrimSpace(strings.ReplaceAll(name, "\x00", ""))
	if utf8.RuneCountInString(name) <= maxNameRunes {
		return name
	}
	return string([]rune(name)[:maxNameRunes])
}

// runnerMessage is a runner as the protocol shows it, without its token.
func runnerMessage(r *db.Runner) *runnerv1.Runner {
	return &runnerv1.Runner{
		Id: r.ID, Uuid: r.UUID.String(), Name: r.Name, Version: r.Version, Labels: r.Labels, Ephemeral: r.IsEphemeral,
		Status: runnerv1.RunnerStatus_RUNNER_STATUS_IDLE,
	}
}
