package git

import (
	"net/url"
	"path/filepath"
	"strings"
	"time"
)

const (
	defaultMirrorInterval = 5 * time.Second
	defaultMirrorTimeout  = 10 * time.Minute
	maxURLLength          = 2048
)

// MirrorOptions say what outside repositories may be fetched, and how often.
type MirrorOptions struct {
	AllowFile bool // file:///path and absolute paths, for tests
	AllowSSH  bool // ssh://, with the keys of the account that runs the server
	// AllowURL, when set, refuses addresses by returning an error. Redirects are then not followed,
	// since they would lead around it.
	AllowURL    func(*url.URL) error
	MinInterval time.Duration // between two fetches of one repository, failed ones too; 0 means 5 s
	Timeout     time.Duration // of one fetch; 0 means 10 min
}

// remote is a checked address without its credentials, and the credentials.
type remote struct {
	url                string
	scheme, host       string
	username, password string
}

// CheckMirrorURL checks the address of an outside repository. The error is an [ErrInvalid] that does
// not repeat the address, which may hold a password.
func CheckMirrorURL(raw string, o MirrorOptions) error {
	_, err := parseRemote(raw, o)
	return err
}

func parseRemote(raw string, o MirrorOptions) (remote, error) {
	if len(raw) > maxURLLength || strings.ContainsFunc(raw, badURLRune) {
		return remote{}, invalidf("clone URL is longer than %d bytes or has forbidden characters", maxURLLength)
	}
	if filepath.IsAbs(raw) {
		raw = "file://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil { // Its text repeats the address.
		return remote{}, invalidf("clone URL is malformed")
	}
	if err := checkRemote(u, o); err != nil {
		return remote{}, err
	}
	r := remote{scheme: u.Scheme, host: u.Host}
	if u.Scheme != "ssh" { // There the user is part of the address.
		r.username = u.User.Username()
		r.password, _ = u.User.Password()
		u.User = nil
	}
	r.url = u.String()
	return r, nil
}

func checkRemote(u *url.URL, o MirrorOptions) error {
	_, hasPassword := u.User.Password()
	switch {
	case !schemeAllowed(u.Scheme, o):
		return invalidf("clone URL scheme %q is not allowed", u.Scheme)
	case u.Opaque != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return invalidf("clone URL must not have a query or fragment")
	case u.Scheme == "file" && u.Host != "":
		return invalidf("clone URL of a file must not name a host")
	case u.Scheme == "ssh" && (hasPassword || strings.HasPrefix(u.User.Username(), "-")):
		return invalidf("clone URL for ssh must not have a password")
	case u.Scheme != "file" && (u.Hostname() == "" || strings.HasPrefix(u.Hostname(), "-")):
		return invalidf("clone URL names no host")
	case strings.Trim(u.Path, "/") == "":
		return invalidf("clone URL has no path")
	}
	if o.AllowURL == nil {
		return nil
	}
	if err := o.AllowURL(u); err != nil {
		return invalidf("clone URL is not allowed: %s", err)
	}
	return nil
}

func schemeAllowed(scheme string, o MirrorOptions) bool {
	switch scheme {
	case "http", "https":
		return true
	case "file":
		return o.AllowFile
	case "ssh":
		return o.AllowSSH
	}
	return false
}

func badURLRune(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' }
