package runnergw

import (
	"context"
	"encoding/json"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
)

// called makes the content of a job of a called workflow (execution-semantics.md §10): the secrets that its callers hand
// on, and its event, which is put into fields.
func (b *contentBuilder) called(ctx context.Context, c *db.Claimed, fields map[string]*structpb.Value, secrets map[string]string) (map[string]string, error) {
	callers, err := b.db.Callers(ctx, c.ParentID)
	if err != nil {
		return nil, err
	}
	if b.options.CallEventName == ci.CallEventOwn && len(callers) > 0 {
		if err := ownEvent(fields, callers[len(callers)-1]); err != nil {
			return nil, err
		}
	}
	return handOn(secrets, callers), nil
}

// ownEvent puts the event workflow_call in the place of the run's, as ci.InCall does. The values of fields are shared, so they are replaced
// and never changed.
func ownEvent(fields map[string]*structpb.Value, caller *db.Job) error {
	var inputs map[string]any
	if err := json.Unmarshal(caller.CallInputs, &inputs); err != nil {
		return broken("inputs of caller %d: %w", caller.ID, err)
	}
	given, err := structpb.NewValue(inputs)
	if err != nil {
		return broken("inputs of caller %d: %w", caller.ID, err)
	}
	event := &structpb.Struct{Fields: map[string]*structpb.Value{}}
	for key, value := range fields["event"].GetStructValue().GetFields() {
		event.Fields[key] = value
	}
	event.Fields["inputs"] = given
	fields["event"], fields["event_name"] = structpb.NewStructValue(event), structpb.NewStringValue(ci.CallEventOwn)
	return nil
}

// handOn is what a chain of callers, the outermost first, leaves of the secrets of a run. The token of the task is always
// there.
func handOn(secrets map[string]string, callers []*db.Job) map[string]string {
	token := secrets["GITHUB_TOKEN"]
	for _, caller := range callers {
		secrets = handOnOnce(secrets, caller.CallSecrets)
		secrets["GITEA_TOKEN"], secrets["GITHUB_TOKEN"] = token, token
	}
	return secrets
}

func handOnOnce(secrets map[string]string, how *ci.CallSecrets) map[string]string {
	out := map[string]string{}
	if how == nil {
		return out
	}
	for name, value := range secrets {
		if how.Inherit {
			out[name] = value
		}
	}
	for inner, outer := range how.Names {
		if value, known := secrets[strings.ToUpper(outer)]; known {
			out[strings.ToUpper(inner)] = value
		}
	}
	return out
}
