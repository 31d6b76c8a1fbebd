package runnergw

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
)

func TestSecretsThatCallersHandOn(t *testing.T) {
	inherit := &db.Job{CallSecrets: &ci.CallSecrets{Inherit: true}}
	named := &db.Job{CallSecrets: &ci.CallSecrets{Names: map[string]string{"key": "deploy_key", "gone": "missing"}}}
	for name, c := range map[string]struct {
		callers []*db.Job
		want    map[string]string
	}{
		"no caller":         {nil, map[string]string{"DEPLOY_KEY": "k", "OTHER": "o"}},
		"nothing":           {[]*db.Job{{}}, map[string]string{}},
		"all":               {[]*db.Job{inherit, inherit}, map[string]string{"DEPLOY_KEY": "k", "OTHER": "o"}},
		"one by its name":   {[]*db.Job{named}, map[string]string{"KEY": "k"}},
		"all of what is on": {[]*db.Job{named, inherit}, map[string]string{"KEY": "k"}},
		"renamed twice":     {[]*db.Job{named, {CallSecrets: &ci.CallSecrets{Names: map[string]string{"inner": "key"}}}}, map[string]string{"INNER": "k"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.want["GITHUB_TOKEN"], c.want["GITEA_TOKEN"] = "t", "t"
			got := handOn(map[string]string{"GITHUB_TOKEN": "t", "GITEA_TOKEN": "t", "DEPLOY_KEY": "k", "OTHER": "o"}, c.callers)
			require.Equal(t, c.want, got)
		})
	}
}

func TestTheEventOfACall(t *testing.T) {
	shared := structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{"ref": structpb.NewStringValue("r")}})
	fields := map[string]*structpb.Value{"event": shared, "event_name": structpb.NewStringValue("push")}
	require.NoError(t, ownEvent(fields, &db.Job{CallInputs: []byte(`{"who": "ann", "n": 2}`)}))
	require.Equal(t, "workflow_call", fields["event_name"].GetStringValue())
	require.Equal(t, map[string]any{"ref": "r", "inputs": map[string]any{"who": "ann", "n": 2.0}}, fields["event"].GetStructValue().AsMap())
	require.Len(t, shared.GetStructValue().Fields, 1, "what other tasks share is not changed")
}
