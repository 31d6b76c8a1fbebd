package apiserver

import (
	"net/url"
	"time"

	"github.com/pawl-ci/pawl/db"
)

// apiPermission says what the viewer may do in a repository.
type apiPermission struct {
	Admin bool `json:"admin"`
	Push  bool `json:"push"`
	Pull  bool `json:"pull"`
}

// apiRepository is the Repository of the API. Fields of what Pawl does not have (issues, forks, stars) are at rest.
type apiRepository struct {
	ID                            int64          `json:"id"`
	Owner                         *apiUser       `json:"owner"`
	Name                          string         `json:"name"`
	FullName                      string         `json:"full_name"`
	Description                   string         `json:"description"`
	Empty                         bool           `json:"empty"`
	Private                       bool           `json:"private"`
	Fork                          bool           `json:"fork"`
	Template                      bool           `json:"template"`
	Mirror                        bool           `json:"mirror"`
	Size                          int            `json:"size"`
	Language                      string         `json:"language"`
	LanguagesURL                  string         `json:"languages_url"`
	HTMLURL                       string         `json:"html_url"`
	URL                           string         `json:"url"`
	Link                          string         `json:"link"`
	SSHURL                        string         `json:"ssh_url"`
	CloneURL                      string         `json:"clone_url"`
	OriginalURL                   string         `json:"original_url"`
	Website                       string         `json:"website"`
	Stars                         int            `json:"stars_count"`
	Forks                         int            `json:"forks_count"`
	Watchers                      int            `json:"watchers_count"`
	OpenIssues                    int            `json:"open_issues_count"`
	OpenPulls                     int            `json:"open_pr_counter"`
	Releases                      int            `json:"release_counter"`
	BranchCount                   int            `json:"branch_count"`
	DefaultBranch                 string         `json:"default_branch"`
	DefaultTargetBranch           string         `json:"default_target_branch"`
	Archived                      bool           `json:"archived"`
	CreatedAt                     time.Time      `json:"created_at"`
	UpdatedAt                     time.Time      `json:"updated_at"`
	ArchivedAt                    time.Time      `json:"archived_at"`
	Permissions                   *apiPermission `json:"permissions"`
	HasCode                       bool           `json:"has_code"`
	HasIssues                     bool           `json:"has_issues"`
	HasWiki                       bool           `json:"has_wiki"`
	HasPullRequests               bool           `json:"has_pull_requests"`
	HasProjects                   bool           `json:"has_projects"`
	HasReleases                   bool           `json:"has_releases"`
	HasPackages                   bool           `json:"has_packages"`
	HasActions                    bool           `json:"has_actions"`
	ProjectsMode                  string         `json:"projects_mode"`
	IgnoreWhitespaceConflicts     bool           `json:"ignore_whitespace_conflicts"`
	AllowMergeCommits             bool           `json:"allow_merge_commits"`
	AllowRebase                   bool           `json:"allow_rebase"`
	AllowRebaseExplicit           bool           `json:"allow_rebase_explicit"`
	AllowSquash                   bool           `json:"allow_squash_merge"`
	AllowFastForwardOnly          bool           `json:"allow_fast_forward_only_merge"`
	AllowMergeUpdate              bool           `json:"allow_merge_update"`
	AllowRebaseUpdate             bool           `json:"allow_rebase_update"`
	AllowManualMerge              bool           `json:"allow_manual_merge"`
	AutodetectManualMerge         bool           `json:"autodetect_manual_merge"`
	DefaultDeleteBranchAfterMerge bool           `json:"default_delete_branch_after_merge"`
	DefaultMergeStyle             string         `json:"default_merge_style"`
	DefaultUpdateStyle            string         `json:"default_update_style"`
	DefaultAllowMaintainerEdit    bool           `json:"default_allow_maintainer_edit"`
	AvatarURL                     string         `json:"avatar_url"`
	Internal                      bool           `json:"internal"`
	MirrorInterval                string         `json:"mirror_interval"`
	MirrorUpdated                 time.Time      `json:"mirror_updated"`
	ObjectFormatName              string         `json:"object_format_name"`
	Topics                        []string       `json:"topics"`
	Licenses                      []string       `json:"licenses"`
}

// showRepository shows a repository, whose Owner is loaded, to a viewer. In runs access is the zero value, so that all
// permissions are false (rest-api.md §2.3).
func showRepository(root string, r *db.Repository, viewer *db.Owner, access db.Access) *apiRepository {
	l := repoLinks(root, r)
	return &apiRepository{
		ID: r.ID, Owner: showUser(root, r.Owner, viewer), Name: r.Name, FullName: r.FullName(), Description: r.Description,
		Empty: r.IsEmpty, Private: r.IsPrivate, Internal: !r.IsPrivate && r.Owner.Visibility == "private",
		Mirror: r.CloneURL != "", OriginalURL: r.CloneURL,
		LanguagesURL: l.api + "/languages", HTMLURL: l.html, URL: l.api, CloneURL: l.html + ".git", SSHURL: sshURL(root, r),
		DefaultBranch: r.DefaultBranch, CreatedAt: shown(r.CreatedAt), UpdatedAt: shown(r.UpdatedAt),
		ArchivedAt: time.Unix(0, 0).UTC(), HasCode: true, HasActions: true, ObjectFormatName: "sha1",
		ProjectsMode: "all", DefaultMergeStyle: "merge", DefaultUpdateStyle: "merge", Topics: []string{}, Licenses: []string{},
		Permissions: &apiPermission{
			Admin: access.Permission.Includes(db.PermissionAdmin),
			Push:  access.Permission.Includes(db.PermissionWrite),
			Pull:  access.Permission.Includes(db.PermissionRead),
		},
	}
}

// sshURL has the form that clients expect; Pawl serves git over HTTP only.
func sshURL(root string, r *db.Repository) string {
	host := "localhost"
	if u, err := url.Parse(root); err == nil && u.Hostname() != "" {
		host = u.Hostname()
	}
	return "git@" + host + ":" + r.FullName() + ".git"
}
