package cli

import (
	"context"
	"time"

	"github.com/pawl-ci/pawl/internal/client"
	"github.com/pawl-ci/pawl/internal/pacing"
)

// Patience with a server that is being restarted.
const (
	patienceTries = 30
	patiencePause = 2 * time.Second
)

// patiently repeats what a server does not answer, for about a minute, because who watches a run should not hear of the
// restart of a server. It ends when do is done, or when the server has said no.
func patiently(ctx context.Context, do func() (done bool, err error)) error {
	for try := 1; ; try++ {
		done, err := do()
		if done || client.Refused(err) || ctx.Err() != nil || (err != nil && try == patienceTries) {
			return err
		}
		if err == nil {
			try = 0 // it answered, and will have more to say
		}
		if err := pacing.Pause(ctx, client.PauseAfter(err, patiencePause)); err != nil {
			return err
		}
	}
}
