package devstack

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
)

// ErrInUse says that another stack runs over the data directory.
var ErrInUse = errors.New("the data directory is in use")

// lock is held as long as its file is open; the kernel releases it with the process.
type lock struct{ file *os.File }

// acquireLock fails with ErrInUse, which names the process, if another holds it.
func acquireLock(path string) (*lock, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data directory: %w", err)
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		holder, _ := io.ReadAll(io.LimitReader(file, 32))
		file.Close()
		return nil, fmt.Errorf("%w by process %s (%s)", ErrInUse, strings.TrimSpace(string(holder)), path)
	}
	if err == nil {
		err = errors.Join(file.Truncate(0), writePID(file))
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("lock the data directory: %w", err)
	}
	return &lock{file}, nil
}

func writePID(file *os.File) error {
	_, err := file.WriteAt([]byte(fmt.Sprintf("%d\n", os.Getpid())), 0)
	return err
}

// release may be called again.
func (l *lock) release() { _ = l.file.Close() }
