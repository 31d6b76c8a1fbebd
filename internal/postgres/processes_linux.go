package postgres

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// serverProcesses returns the live processes of a server of this data directory: every
// one of them has it as its working directory.
func serverProcesses(dataDir string) ([]int, error) {
	dataDir, err := filepath.EvalSymlinks(dataDir)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err == nil && worksIn(entry.Name(), dataDir) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// worksIn tells whether a process is a PostgreSQL one in dir. What cannot be read is
// gone or belongs to another user, and so not to this cluster.
func worksIn(pid, dir string) bool {
	cwd, err := os.Readlink("/proc/" + pid + "/cwd")
	if err != nil || cwd != dir {
		return false
	}
	name, err := os.ReadFile("/proc/" + pid + "/comm")
	return err == nil && strings.HasPrefix(string(name), "postgres")
}
