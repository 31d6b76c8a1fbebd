package devstack

import "fmt"

// adoptRegistration reports whether there is a registration, and makes sure that it
// names the server's present address: a registration holds for the server, not for the
// port that it happened to have.
func adoptRegistration(path, url string) (bool, error) {
	registration := map[string]any{}
	exists, err := readJSON(path, &registration)
	if err != nil {
		return false, fmt.Errorf("registration of the runner: %w", err)
	}
	if !exists || registration["address"] == url {
		return exists, nil
	}
	registration["address"] = url
	if err := writeJSON(path, registration); err != nil {
		return false, fmt.Errorf("registration of the runner: %w", err)
	}
	return true, nil
}
