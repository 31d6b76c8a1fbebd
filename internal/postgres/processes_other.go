//go:build !linux

package postgres

import (
	"os/exec"
	"strconv"
	"strings"
)

// serverProcesses returns the server of this data directory, told by its command line.
// Its backends notice by themselves when it is gone.
func serverProcesses(dataDir string) ([]int, error) {
	out, err := exec.Command("ps", "-axo", "pid=,command=").Output()
	if err != nil {
		return nil, err
	}
	var pids []int
	for line := range strings.Lines(string(out)) {
		number, command, _ := strings.Cut(strings.TrimSpace(line), " ")
		pid, err := strconv.Atoi(number)
		if err == nil && strings.Contains(command, "postgres -D "+dataDir+" ") {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}
