package apiserver

import (
	"time"

	"github.com/pawl-ci/pawl/db"
)

// apiSecret is what the API tells of a secret, which is all but its value (rest-api.md §8).
type apiSecret struct {
	Name        string    `json:"name"`
	Description string    `json:"description"`
	CreatedAt   time.Time `json:"created_at"`
}

func showSecret(s *db.Secret) *apiSecret {
	return &apiSecret{Name: s.Name, Description: s.Description, CreatedAt: shown(s.CreatedAt)}
}

type apiVariable struct {
	OwnerID     int64  `json:"owner_id"`
	RepoID      int64  `json:"repo_id"`
	Name        string `json:"name"`
	Data        string `json:"data"`
	Description string `json:"description"`
}

func showVariable(v *db.Variable) *apiVariable {
	return &apiVariable{OwnerID: v.OwnerID, RepoID: v.RepoID, Name: v.Name, Data: v.Value, Description: v.Description}
}
