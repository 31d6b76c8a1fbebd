package client

import "net/url"

// Level is a place that has runners, secrets and variables of its own: a repository, an organization, the user of the
// client, or the whole installation.
type Level struct{ prefix string }

// RepoLevel is that of the repository owner/name.
func RepoLevel(repo string) Level { return Level{"/repos/" + repo} }

// OrgLevel is that of an organization.
func OrgLevel(org string) Level { return Level{"/orgs/" + url.PathEscape(org)} }

// UserLevel is that of the client's user.
func UserLevel() Level { return Level{"/user"} }

// InstanceLevel is that of the installation; its calls need an administrator.
func InstanceLevel() Level { return Level{"/admin"} }

func (l Level) path(below string) string { return l.prefix + "/actions/" + below }
