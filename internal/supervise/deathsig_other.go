//go:build !linux

package supervise

import "syscall"

func setDeathSignal(*syscall.SysProcAttr, syscall.Signal) {}
