package hook

import (
	"encoding/json"
	"strconv"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/secretbox"
)

// Secrets are what a hook keeps sealed.
type Secrets struct {
	// Secret signs the body.
	Secret string `json:"secret,omitempty"`
	// Authorization is sent as the header of that name.
	Authorization string `json:"authorization,omitempty"`
}

// PlaceOf is where the secrets of a hook are sealed for.
func PlaceOf(h *db.Hook) secretbox.Place {
	return secretbox.Place{Kind: "hook", OwnerID: h.OwnerID, RepoID: h.RepoID, Name: strconv.FormatInt(h.ID, 10)}
}

// Seal puts secrets into a hook, which has its id.
func (s Secrets) Seal(keys *secretbox.Keyring, h *db.Hook) error {
	h.Sealed = nil
	if s == (Secrets{}) {
		return nil
	}
	text, err := json.Marshal(s)
	if err == nil {
		h.Sealed = keys.Seal(PlaceOf(h), text)
	}
	return err
}

// OpenSecrets returns the secrets of a hook. Its errors tell nothing of them.
func OpenSecrets(keys *secretbox.Keyring, h *db.Hook) (s Secrets, err error) {
	if h.Sealed == nil {
		return s, nil
	}
	text, err := keys.Open(PlaceOf(h), h.Sealed)
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	return s, err
}
