package temporald

import (
	"fmt"
	"os"
	"path/filepath"
)

// EnvBinary names the variable with the path of the program that tests use.
const EnvBinary = "PAWL_TEMPORALD"

// FindForTest returns the program named by PAWL_TEMPORALD, or bin/temporald of the
// module that the working directory lies in.
func FindForTest() (string, error) {
	if path := os.Getenv(EnvBinary); path != "" {
		return path, nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		path := filepath.Join(dir, "bin", "temporald")
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("bin/temporald is not built: run `make build`, or set %s to its path", EnvBinary)
		}
		dir = parent
	}
}
