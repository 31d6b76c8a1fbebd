package runnergw

import (
	"context"
	"strings"

	runnerv1 "gitea.dev/actions-proto-go/runner/v1"

	"github.com/pawl-ci/pawl/internal/logchunk"
	"github.com/pawl-ci/pawl/internal/mask"
)

// maxAddedMasks is how many values a job may have hidden beside its secrets, and maxAddedBytes how large they may be in all:
// they stay in memory for as long as the job. Runners hide them by themselves.
const (
	maxAddedMasks = 100
	maxAddedBytes = 128 << 10
)

// taskMasks hide what a job must not show: all secrets of its repository, even those that it did not get, the tokens of
// its task, and what it says itself. Runners do the same; this is for what they miss (execution-semantics.md §12).
type taskMasks struct {
	secrets *mask.Masker // shared by the jobs of a repository
	tokens  *mask.Masker
	own     *mask.Masker
	added   []string
	room    int // of maxAddedBytes that is left
}

// hide returns the text without what is to be hidden.
func (m *taskMasks) hide(text string) string {
	return m.own.Mask(m.tokens.Mask(m.secrets.Mask(text)))
}

func (m *taskMasks) hides(text string) bool {
	return m.secrets.Hides(text) || m.tokens.Hides(text) || m.own.Hides(text)
}

const addMask = "::add-mask::"

var commandData = strings.NewReplacer("%25", "%", "%0D", "\r", "%0A", "\n")

// row is hide for a row of a log. A row that asks for a value to be hidden, which runners that know it do not send, shows
// no value itself.
func (m *taskMasks) row(text string) string {
	if value, asks := strings.CutPrefix(strings.TrimSpace(text), addMask); asks {
		m.add(commandData.Replace(value))
		return addMask + mask.Stars
	}
	return m.hide(text)
}

func (m *taskMasks) add(value string) {
	if value == "" || value == mask.Stars || len(m.added) == maxAddedMasks || len(value) > m.room {
		return
	}
	m.room -= len(value)
	m.added = append(m.added, strings.Clone(value)) // which is a part of all rows of its request
	m.own = mask.New(m.added...)
}

// masksOf returns the masks of a task; the caller holds t.maskMu. A gateway that did not hand out the task does not know
// its tokens, and takes the secrets as they are now.
func (g *Gateway) masksOf(ctx context.Context, t *task) (*taskMasks, error) {
	if t.masks != nil {
		return t.masks, nil
	}
	if t.hide == nil {
		source, err := g.content.source(ctx, t.Origin)
		if err != nil {
			return nil, storeFault(err)
		}
		t.hide = &source
	}
	t.masks = t.hide.masks()
	return t.masks, nil
}

// hideSecrets changes the rows before anything sees them.
func (g *Gateway) hideSecrets(ctx context.Context, t *task, rows []*runnerv1.LogRow) error {
	if len(rows) == 0 {
		return nil
	}
	t.maskMu.Lock()
	defer t.maskMu.Unlock()
	m, err := g.masksOf(ctx, t)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if row == nil {
			continue
		}
		hidden := m.row(row.Content)
		// What is left out when a row is stored may have stood within a secret.
		if clean := logchunk.Clean(hidden); clean != hidden {
			hidden = m.hide(clean)
		}
		row.Content = hidden
	}
	return nil
}

// dropSecretOutputs empties outputs that hold a secret, as GitHub does: they would be stored, and handed to jobs whose logs
// do not hide them.
func (g *Gateway) dropSecretOutputs(ctx context.Context, t *task, outputs map[string]string) error {
	if len(outputs) == 0 {
		return nil
	}
	t.maskMu.Lock()
	defer t.maskMu.Unlock()
	m, err := g.masksOf(ctx, t)
	if err != nil {
		return err
	}
	for key, value := range outputs {
		if m.hides(value) {
			outputs[key] = ""
			g.log.Warn("output dropped, because it may hold a secret", "task", t.TaskID, "job", t.JobID, "output", m.hide(key))
		}
	}
	return nil
}

// forgetSecrets is for a task that has ended: its tokens are worth nothing any more, and a row that comes late has the
// other masks made again.
func (t *task) forgetSecrets() {
	t.maskMu.Lock()
	defer t.maskMu.Unlock()
	t.masks, t.hide = nil, nil
}
