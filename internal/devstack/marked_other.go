//go:build !linux

package devstack

import "log/slog"

// Other systems do not show the environment of a process, so what jobs leave behind
// stays there.

func killMarked(string) {}

type orphanWatch struct{}

func watchOrphans(string, func() int, *slog.Logger) *orphanWatch { return &orphanWatch{} }

func (*orphanWatch) stop() {}
