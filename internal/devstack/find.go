package devstack

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// findBinary returns explicit if given, else the program of that name beside this
// executable, else the one on PATH.
func findBinary(name, explicit string) (string, error) {
	if explicit != "" {
		path, err := exec.LookPath(explicit)
		if err != nil {
			return "", fmt.Errorf("program %s: %w", name, err)
		}
		return filepath.Abs(path)
	}
	if own, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(own), name)
		if path, err := exec.LookPath(beside); err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("program %s is neither beside this executable nor on PATH: run `make build`", name)
	}
	return filepath.Abs(path)
}
