package hook

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
)

func TestAProcessThatStopsLetsAnotherGoOn(t *testing.T) {
	in := newInstallation(t)
	h := in.hook(db.HookScope{RepoID: in.repo.ID})
	for _, name := range []string{"a", "b"} {
		f := in.process(name)
		f.Every = time.Millisecond
		before := len(in.told(h))
		dbtest.Run(t, in.DB, in.repo)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { f.Run(ctx); close(ended) }()
		require.Eventually(t, func() bool { return len(in.told(h)) == before+1 }, 10*time.Second, time.Millisecond, "no lease is waited for")
		stop()
		<-ended
	}
}
