package runnergw

import (
	"context"
	"sync"
	"time"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/mask"
	"github.com/pawl-ci/pawl/internal/secretbox"
	"github.com/pawl-ci/pawl/internal/vault"
)

const (
	// settingsTTL bounds how long the settings of a repository stay in memory that hands out no more jobs.
	settingsTTL       = 10 * time.Minute
	maxCachedSettings = 256
	// maxSettingsBytes is the size above which settings are read for each job, so that few repositories with large ones
	// cannot fill the memory.
	maxSettingsBytes = 128 << 10
)

// settingsReader knows the secrets and variables of repositories. It keeps what it has read for as long as it is current,
// and a claim says, with the statement that makes the task, which version that is: so a job always gets the values of the
// moment of its claim, and in a steady state they cost no query.
type settingsReader struct {
	db    *db.DB
	keys  *secretbox.Keyring
	known *cache[settingsKey, *jobSettings]
}

type settingsKey struct{ owner, repo int64 }

func newSettingsReader(d Deps) *settingsReader {
	return &settingsReader{db: d.DB, keys: d.Keys, known: newCache[settingsKey, *jobSettings](d.Now, maxCachedSettings, settingsTTL)}
}

// at returns the settings of a repository, no older than the version.
func (r *settingsReader) at(ctx context.Context, owner, repo, version int64) (*jobSettings, error) {
	key := settingsKey{owner, repo}
	if s, ok := r.known.get(key); ok && s.version == version {
		return s, nil
	}
	read, err := r.db.JobSettings(ctx, owner, repo)
	if err != nil {
		return nil, err
	}
	s := &jobSettings{JobSettings: read, version: version, keys: r.keys}
	s.masker = sync.OnceValue(s.newMasker)
	if s.size() <= maxSettingsBytes {
		r.known.put(key, s)
	}
	return s, nil
}

// jobSettings are the secrets and variables of a repository. Secrets stay sealed here.
type jobSettings struct {
	*db.JobSettings

	version int64
	keys    *secretbox.Keyring
	// masker hides all secrets; it is made when the first job has something to hide.
	masker func() *mask.Masker
}

func (s *jobSettings) size() (n int) {
	for _, secret := range s.Secrets {
		n += len(secret.Sealed)
	}
	for _, value := range s.Vars {
		n += len(value)
	}
	return n
}

func (s *jobSettings) newMasker() *mask.Masker {
	var values []string
	for _, secret := range s.Secrets {
		// What cannot be opened here was not handed out either.
		if value, err := vault.Open(s.keys, secret); err == nil {
			values = append(values, value)
		}
	}
	return mask.New(values...)
}

// secretSource is where the secrets of a task come from.
type secretSource struct {
	settings *jobSettings
	// fromFork: the job was written by who may not have the secrets of the repository.
	fromFork bool
	// tokens are what only this task has, the token of the task first; none if another gateway handed it out.
	tokens []string
}

// source finds out where the secrets of a task come from. In a steady state it costs no query.
func (b *contentBuilder) source(ctx context.Context, o db.TaskOrigin) (secretSource, error) {
	run, err := b.run(ctx, o)
	if err != nil {
		return secretSource{}, err
	}
	settings, err := b.settings.at(ctx, o.OwnerID, o.RepoID, o.SecretsVersion)
	return secretSource{settings: settings, fromFork: run.fromFork}, err
}

// open returns the secrets of a job that nobody calls. The token of the task is always there, because runners panic when
// there are no secrets at all (runner-protocol.md §6). A secret that cannot be opened fails the job, which must not run as
// if there were none.
func (s secretSource) open() (map[string]string, error) {
	secrets := map[string]string{"GITEA_TOKEN": s.tokens[0], "GITHUB_TOKEN": s.tokens[0]}
	if s.fromFork {
		return secrets, nil
	}
	for _, secret := range s.settings.Secrets {
		value, err := vault.Open(s.settings.keys, secret)
		if err != nil {
			return nil, broken("%w", err)
		}
		secrets[secret.Name] = value
	}
	return secrets, nil
}

// masks hide all secrets of the repository, even those that the job did not get; but not from a fork, whose author could
// guess them by what is hidden.
func (s secretSource) masks() *taskMasks {
	m := &taskMasks{room: maxAddedBytes}
	if !s.fromFork {
		m.secrets = s.settings.masker()
	}
	if len(s.tokens) > 0 {
		m.tokens = mask.Exactly(append(mask.Forms(s.tokens[0]), s.tokens[1:]...)...)
	}
	return m
}
