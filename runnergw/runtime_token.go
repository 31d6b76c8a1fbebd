package runnergw

import (
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/pawl-ci/pawl/db"
)

// RuntimeClaims are the claims of a job's runtime token (runner-protocol.md §9.1). The token is good only as long as
// its task runs, whatever its expiry says; who accepts it must look.
type RuntimeClaims struct {
	jwt.RegisteredClaims

	// Scope is read by GitHub's toolkit: "Actions.Results:<run id>:<job id>".
	Scope  string `json:"scp"`
	TaskID int64
	RunID  int64
	JobID  int64
	// AccessControl is read by caches: read and write everywhere.
	AccessControl string `json:"ac"`
}

const (
	// runtimeLeast is how long a job may run at least by its runner's own limit (runner-protocol.md §8.4).
	runtimeLeast = 3 * time.Hour
	// runtimeMargin is what steps after the job's end may take.
	runtimeMargin = time.Hour
)

func runtimeToken(key []byte, c *db.Claimed, now time.Time) (string, error) {
	life := runtimeMargin + max(runtimeLeast, time.Duration(c.TimeoutMinutes)*time.Minute)
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, RuntimeClaims{
		RegisteredClaims: jwt.RegisteredClaims{NotBefore: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(life))},
		Scope:            fmt.Sprintf("Actions.Results:%d:%d", c.RunID, c.JobID),
		TaskID:           c.TaskID, RunID: c.RunID, JobID: c.JobID,
		AccessControl: `[{"Scope":"","Permission":2}]`,
	}).SignedString(key)
	if err != nil {
		return "", fmt.Errorf("runtime token: %w", err)
	}
	return signed, nil
}
