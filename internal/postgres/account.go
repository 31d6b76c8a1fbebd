package postgres

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is the user who runs the server.
type account struct {
	uid, gid uint32
	name     string
	other    bool // not the user of this process
}

// chooseAccount returns ourselves, unless we are root: then the owner of an existing
// cluster, else the user postgres, else nobody.
func chooseAccount(dataDir string) (account, error) {
	uid := os.Geteuid()
	owner, exists := ownerOf(dataDir)
	if uid != 0 {
		if exists && int(owner.uid) != uid {
			return account{}, fmt.Errorf("%s belongs to user %s: start as that user or as root", dataDir, owner.name)
		}
		return account{uid: uint32(uid), gid: uint32(os.Getegid()), name: "this user"}, nil
	}
	if exists && owner.uid != 0 {
		return owner, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if found, err := user.Lookup(name); err == nil {
			return accountOf(found)
		}
	}
	return account{}, fmt.Errorf("PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody")
}

func accountOf(u *user.User) (account, error) {
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return account{}, fmt.Errorf("user %s: %w", u.Username, err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return account{}, fmt.Errorf("user %s: %w", u.Username, err)
	}
	return account{uid: uint32(uid), gid: uint32(gid), name: u.Username, other: true}, nil
}

func ownerOf(path string) (account, bool) {
	info, err := os.Stat(path)
	if err != nil {
		return account{}, false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return account{}, false
	}
	name := strconv.FormatUint(uint64(stat.Uid), 10)
	if u, err := user.LookupId(name); err == nil {
		name = u.Username
	}
	return account{uid: stat.Uid, gid: stat.Gid, name: name, other: true}, true
}

// makeDir creates dir for the account alone. The directories above it get the usual
// mode and stay ours.
func (a account) makeDir(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !os.IsExist(err) {
		return err
	}
	return a.own(dir)
}

func (a account) own(path string) error {
	if !a.other {
		return nil
	}
	return os.Chown(path, int(a.uid), int(a.gid))
}

// attributes are those of a program that runs as the account and works below dir.
func (a account) attributes(dir string) (*syscall.SysProcAttr, error) {
	if !a.other {
		return nil, nil
	}
	attr := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: a.uid, Gid: a.gid}}
	blocked := a.blockedAt(dir)
	if blocked == "" {
		return attr, nil
	}
	if err := allowTraversal(attr); err != nil {
		return nil, fmt.Errorf("user %s, who has to run PostgreSQL because root may not, cannot enter %s (%w): "+
			"choose a data directory below one that everybody can enter, or allow it with chmod o+x", a.name, blocked, err)
	}
	return attr, nil
}

// blockedAt returns the topmost directory on the way to dir that the account may not
// search, empty if there is none.
func (a account) blockedAt(dir string) string {
	if parent := filepath.Dir(dir); parent != dir {
		if blocked := a.blockedAt(parent); blocked != "" {
			return blocked
		}
	}
	info, err := os.Stat(dir)
	if err != nil {
		return dir
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	mode := info.Mode().Perm()
	switch {
	case !ok:
		return ""
	case stat.Uid == a.uid:
		mode >>= 6
	case stat.Gid == a.gid:
		mode >>= 3
	}
	if mode&1 == 0 {
		return dir
	}
	return ""
}
