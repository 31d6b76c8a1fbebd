package main

import (
	"fmt"
	"os"
	"time"
)

// parentPoll is how late an orphan may notice that it is one.
const parentPoll = 200 * time.Millisecond

// exitWithParent ends the process once pid is not its parent any more. The kernel
// hands orphans to another parent at once, also after kill -9, so asking is enough
// on every Unix; where the supervisor can set a death signal, that is faster still.
func exitWithParent(pid int) {
	for os.Getppid() == pid {
		time.Sleep(parentPoll)
	}
	fmt.Fprintf(os.Stderr, "temporald: parent process %d is gone, exiting\n", pid)
	os.Exit(3)
}
