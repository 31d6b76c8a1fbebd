package pgtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

const dirPrefix = "pawl-pgtest-"

func dirPattern() string { return fmt.Sprintf("%s%d-*", dirPrefix, os.Getpid()) }

// removeAbandoned deletes the directories of test processes that were killed before
// they could. Their servers ended with them.
func removeAbandoned() error {
	dirs, err := filepath.Glob(filepath.Join(os.TempDir(), dirPrefix+"*"))
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		number, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), dirPrefix), "-")
		pid, err := strconv.Atoi(number)
		if err != nil || !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			continue
		}
		_ = os.RemoveAll(dir) // another user's: not ours to remove
	}
	return nil
}
