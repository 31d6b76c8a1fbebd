package apiserver

import (
	"net/http"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/fault"
)

// settingsRoutes are Pawl's own.
func (s *Server) settingsRoutes() []endpoint {
	const (
		repo = "/repos/{owner}/{repo}/actions/settings"
		org  = "/orgs/{org}/actions/settings"
		user = "/admin/users/{username}/actions/settings"
	)
	return []endpoint{
		{http.MethodGet, repo, reader(), getRepoSettings},
		{http.MethodPatch, repo, repoAdmin(), editRepoSettings},
		{http.MethodGet, org, orgMember(), getOrgSettings},
		{http.MethodPatch, org, orgOwner(), editOrgSettings},
		{http.MethodGet, "/user/actions/settings", self(), getOwnSettings},
		{http.MethodGet, user, siteAdmin(), getUserSettings},
		{http.MethodPatch, user, siteAdmin(), editUserSettings},
	}
}

// apiOwnerSettings bound the jobs of all repositories of an owner together.
type apiOwnerSettings struct {
	// MaxRunningJobs is null where there is no limit.
	MaxRunningJobs *int `json:"max_running_jobs"`
}

// apiRepoSettings are those of one repository.
type apiRepoSettings struct {
	apiOwnerSettings
	// Paused holds all jobs back that no runner has yet.
	Paused bool `json:"paused"`
	// Approval is which new runs wait until a writer lets them begin: none or all.
	Approval db.ApprovalPolicy `json:"approval"`
	apiRetention
}

// apiRetention is for how many days things are kept after the end of a run; 0 is for as long as the installation keeps
// them. Logs of runs that failed are kept no shorter than those of others.
type apiRetention struct {
	LogRetentionDays       int `json:"log_retention_days"`
	FailedLogRetentionDays int `json:"failed_log_retention_days"`
	RunRetentionDays       int `json:"run_retention_days"`
}

// maxJobLimit is the largest limit that can be set.
const maxJobLimit = 1_000_000

func checkJobLimit(most *int) error {
	if most != nil && (*most < 0 || *most > maxJobLimit) {
		return fault.Unprocessable("Range(0,%d)", maxJobLimit).In("MaxRunningJobs")
	}
	return nil
}

func getRepoSettings(c *call) error {
	most, err := c.server.DB.JobLimit(c.ctx(), db.LimitRepository, c.repo.ID)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, apiRepoSettings{
		apiOwnerSettings: apiOwnerSettings{MaxRunningJobs: most}, Paused: !c.repo.PausedAt.IsZero(), Approval: c.repo.Approval,
		apiRetention: apiRetention{
			LogRetentionDays: c.repo.LogRetentionDays, FailedLogRetentionDays: c.repo.FailedLogRetentionDays,
			RunRetentionDays: c.repo.RunRetentionDays,
		},
	})
}

// repoSettingsChange has the fields that are to be changed.
type repoSettingsChange struct {
	MaxRunningJobs optional[int]      `json:"max_running_jobs"`
	Paused         *bool              `json:"paused"`
	Approval       *db.ApprovalPolicy `json:"approval"`

	LogRetentionDays       *int `json:"log_retention_days"`
	FailedLogRetentionDays *int `json:"failed_log_retention_days"`
	RunRetentionDays       *int `json:"run_retention_days"`
}

func (in repoSettingsChange) check() error {
	if in.Approval != nil && *in.Approval != db.ApproveNone && *in.Approval != db.ApproveAll {
		return fault.Unprocessable("In(none,all)").In("Approval")
	}
	for field, days := range map[string]*int{
		"LogRetentionDays": in.LogRetentionDays, "FailedLogRetentionDays": in.FailedLogRetentionDays, "RunRetentionDays": in.RunRetentionDays,
	} {
		if days != nil && (*days < 0 || *days > db.MaxRetentionDays) {
			return fault.Unprocessable("Range(0,%d)", db.MaxRetentionDays).In(field)
		}
	}
	return checkJobLimit(in.MaxRunningJobs.Value)
}

func editRepoSettings(c *call) error {
	var in repoSettingsChange
	if err := c.bind(&in); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	err := c.server.DB.EditRepository(c.ctx(), c.repo.ID, db.RepositoryChange{
		By: c.caller.user.ID, Approval: in.Approval, Paused: in.Paused, SetLimit: in.MaxRunningJobs.Given, Limit: in.MaxRunningJobs.Value,
		LogDays: in.LogRetentionDays, FailedLogDays: in.FailedLogRetentionDays, RunDays: in.RunRetentionDays,
	})
	if err != nil {
		return err
	}
	changed, err := c.server.DB.RepositoryByID(c.ctx(), c.repo.ID)
	if err != nil {
		return err
	}
	c.repo = changed
	return getRepoSettings(c)
}

func getOrgSettings(c *call) error { return c.ownerSettings(c.org.ID) }

func editOrgSettings(c *call) error { return c.editOwnerSettings(c.org.ID) }

// getOwnSettings shows users their limit, which site admins set.
func getOwnSettings(c *call) error { return c.ownerSettings(c.caller.user.ID) }

func getUserSettings(c *call) error {
	user, err := c.userNamed("username")
	if err != nil {
		return err
	}
	return c.ownerSettings(user.ID)
}

func editUserSettings(c *call) error {
	user, err := c.userNamed("username")
	if err != nil {
		return err
	}
	return c.editOwnerSettings(user.ID)
}

func (c *call) ownerSettings(owner int64) error {
	most, err := c.server.DB.JobLimit(c.ctx(), db.LimitOwner, owner)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, apiOwnerSettings{MaxRunningJobs: most})
}

func (c *call) editOwnerSettings(owner int64) error {
	var in struct {
		MaxRunningJobs optional[int] `json:"max_running_jobs"`
	}
	if err := c.bind(&in); err != nil {
		return err
	}
	if err := checkJobLimit(in.MaxRunningJobs.Value); err != nil {
		return err
	}
	if in.MaxRunningJobs.Given {
		if err := c.server.DB.SetJobLimit(c.ctx(), db.LimitOwner, owner, in.MaxRunningJobs.Value); err != nil {
			return err
		}
	}
	return c.ownerSettings(owner)
}
