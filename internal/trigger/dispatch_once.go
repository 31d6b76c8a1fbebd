package trigger

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/fault"
)

// DispatchOnce is Dispatch for a client that may have to ask again, because it did not hear the answer: under one key,
// one actor starts one run in a repository, and repeated says that it was there before. The key is stored in the
// transaction that makes the run, so that a crash leaves both or neither, and of two requests at once the later one
// waits for the earlier. What was refused may be asked again under the same key.
//
// Faults as of Dispatch, and 409 for a key that stands for something else.
func (s *Service) DispatchOnce(ctx context.Context, r DispatchRequest, key string) (run int64, repeated bool, err error) {
	k, err := dispatchKey(r, key)
	if err != nil {
		return 0, false, err
	}
	run, err = s.DB.DispatchedRun(ctx, k)
	if !errors.Is(err, db.ErrNotFound) {
		return run, err == nil, keyFault(err)
	}
	started, err := s.dispatch(ctx, r, &k)
	if errors.Is(err, db.ErrConflict) { // another request was faster
		run, err = s.DB.DispatchedRun(ctx, k)
		return run, err == nil, keyFault(err)
	}
	if err != nil {
		return 0, false, err
	}
	return started.ID, false, nil
}

// dispatchKey sums up everything that makes one dispatch differ from another.
func dispatchKey(r DispatchRequest, key string) (db.DispatchKey, error) {
	inputs := r.Inputs
	if inputs == nil {
		inputs = map[string]string{}
	}
	asked, err := json.Marshal([]any{r.Workflow, r.Ref, inputs, r.SourceRepoID})
	if err != nil {
		return db.DispatchKey{}, fmt.Errorf("key of a dispatch: %w", err)
	}
	sum := sha256.Sum256(asked)
	return db.DispatchKey{RepoID: r.Repo.ID, UserID: r.Actor.ID, Key: key, BodyHash: sum[:]}, nil
}

func keyFault(err error) error {
	if errors.Is(err, db.ErrConflict) {
		return fault.Conflict("this Idempotency-Key has been used for another dispatch")
	}
	return err
}
