package git

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// layout knows where things are below the root of a store:
//
//	repositories/<id/1000>/<id>.git
//	home-v1/.gitconfig   the configuration of every git process, and nothing else
//	hooks-v1/accept/     the hooks of every repository
//	hooks-v1/refuse/     the hooks of a push that will be refused
//	bin-v1/askpass       hands credentials to a mirror fetch
//	locks/<id>           one writer at a time per repository
//	tmp/                 request bodies, repositories being made or removed
//
// Written files carry a version in their directory, so that servers of two releases can share a root.
type layout struct{ root string }

func (l layout) repositories() string { return filepath.Join(l.root, "repositories") }
func (l layout) home() string         { return filepath.Join(l.root, "home-v1") }
func (l layout) acceptHooks() string  { return filepath.Join(l.root, "hooks-v1", "accept") }
func (l layout) refuseHooks() string  { return filepath.Join(l.root, "hooks-v1", "refuse") }
func (l layout) askpass() string      { return filepath.Join(l.root, "bin-v1", "askpass") }
func (l layout) locks() string        { return filepath.Join(l.root, "locks") }
func (l layout) tmp() string          { return filepath.Join(l.root, "tmp") }

// relative is the path of a repository below repositories().
func (l layout) relative(id int64) string {
	return strconv.FormatInt(id/1000, 10) + "/" + strconv.FormatInt(id, 10) + ".git"
}

func (l layout) repository(id int64) string {
	return filepath.Join(l.repositories(), filepath.FromSlash(l.relative(id)))
}

// gitConfig holds for every repository and every process of the store.
//
// Objects may be fetched by any SHA, as actions/checkout does (runner-protocol.md §9.7). Upkeep is run
// by the store, not by git in the background. Unreachable objects stay for 90 days, so that a run of a
// force-pushed commit can be repeated. Pushed objects are checked, but faults that old tools put into
// the history of well-known projects only warn.
const gitConfig = `[safe]
	directory = *
[core]
	fsync = committed,reference,loose-object
	packedRefsTimeout = 10000
	filesRefLockTimeout = 5000
[http]
	receivepack = true
	uploadpack = true
	getanyfile = false
[uploadpack]
	allowAnySHA1InWant = true
	allowFilter = true
[receive]
	autogc = false
	fsckObjects = true
	denyNonFastForwards = false
	denyDeletes = false
	advertisePushOptions = false
[receive "fsck"]
	badTimezone = warn
	missingSpaceBeforeDate = warn
	zeroPaddedFilemode = warn
	missingTaggerEntry = warn
	badTagName = warn
[gc]
	auto = 6700
	autoDetach = false
	pruneExpire = 90.days.ago
[maintenance]
	auto = false
[credential]
	helper =
[init]
	defaultBranch = main
[protocol]
	version = 2
`

// postReceive runs after the refs are updated and gets "old new ref" lines.
const postReceive = `#!/bin/sh
exec cat >>"${PAWL_PUSH_FILE:-/dev/null}"
`

// preReceive refuses a push with a text that the person who pushed gets to read.
const preReceive = `#!/bin/sh
printf '%s\n' "$PAWL_PUSH_REFUSED" >&2
exit 1
`

// askpassScript answers only for the scheme and host that the credentials belong to, so that a
// redirect cannot carry them elsewhere.
const askpassScript = `#!/bin/sh
case "$1" in
"Username for '$PAWL_ASK_SCHEME://$PAWL_ASK_HOST'"*) printf '%s\n' "$PAWL_ASK_USERNAME" ;;
"Password for '$PAWL_ASK_SCHEME://"*"@$PAWL_ASK_HOST'"*) printf '%s\n' "$PAWL_ASK_PASSWORD" ;;
*) exit 1 ;;
esac
`

// prepare makes the directories and files; doing it again changes nothing.
func (l layout) prepare() error {
	for _, dir := range []string{l.root, l.repositories(), l.home(), l.acceptHooks(), l.refuseHooks(), filepath.Dir(l.askpass()), l.locks(), l.tmp()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("make git directory: %w", err)
		}
	}
	files := []struct {
		path, text string
		mode       os.FileMode
	}{
		{filepath.Join(l.home(), ".gitconfig"), gitConfig, 0o600},
		{filepath.Join(l.acceptHooks(), "post-receive"), postReceive, 0o700},
		{filepath.Join(l.refuseHooks(), "pre-receive"), preReceive, 0o700},
		{l.askpass(), askpassScript, 0o700},
	}
	for _, f := range files {
		if err := l.write(f.path, f.text, f.mode); err != nil {
			return fmt.Errorf("write %s: %w", filepath.Base(f.path), err)
		}
	}
	return nil
}

// write replaces a file in one step, and leaves an equal one alone: a hook that is being executed
// must not change under the shell.
func (l layout) write(path, text string, mode os.FileMode) error {
	if old, err := os.ReadFile(path); err == nil && string(old) == text {
		return nil
	}
	f, err := os.CreateTemp(l.tmp(), "write-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err := f.WriteString(text); err != nil {
		return err
	}
	if err := f.Chmod(mode); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
