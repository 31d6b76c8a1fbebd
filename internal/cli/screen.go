package cli

import (
	"os"

	"golang.org/x/term"
)

// screenOf tells how large a terminal is and whether colours are wanted on it; a file that is no terminal has no size.
// Colours follow NO_COLOR (no-color.org) and TERM.
func screenOf(f *os.File) (width, height int, rich bool) {
	if !term.IsTerminal(int(f.Fd())) {
		return 0, 0, false
	}
	width, height, err := term.GetSize(int(f.Fd()))
	if err != nil || width == 0 || height == 0 {
		width, height = 80, 24
	}
	return width, height, os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
