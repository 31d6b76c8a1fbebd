package postgres

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// Capabilities that let a process pass directories it may not search, the one that
// grants less first. Containers usually have only the second.
const (
	capDACReadSearch = 2
	capDACOverride   = 1
)

// allowTraversal lets a program that gives up root still reach a directory below one
// that only root may enter, such as a data directory in root's home. The mode of a
// directory that is not ours is never changed.
func allowTraversal(attr *syscall.SysProcAttr) error {
	permitted, err := permittedCapabilities()
	if err != nil {
		return err
	}
	for _, capability := range []uintptr{capDACReadSearch, capDACOverride} {
		if permitted&(1<<capability) != 0 {
			attr.AmbientCaps = []uintptr{capability}
			return nil
		}
	}
	return errors.New("this process has no capability to let it")
}

func permittedCapabilities() (uint64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "CapPrm:"); ok {
			return strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		}
	}
	return 0, fmt.Errorf("no capabilities in /proc/self/status")
}
