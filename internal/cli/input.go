package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// maxValue bounds what is read as the value of a secret, a variable or a token; the server takes 64 KiB.
const maxValue = 1 << 20

// ReadValue reads a value from standard input: on a terminal one line that is not shown, else all of it without the
// line break at its end. Values come this way, and never as an argument that other users of the machine could see.
func ReadValue(t *Terminal, prompt string) (string, error) {
	if f, ok := t.In.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(t.Err, prompt)
		value, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(t.Err)
		return string(value), err
	}
	value, err := io.ReadAll(io.LimitReader(t.In, maxValue))
	if err != nil {
		return "", fmt.Errorf("read the value: %w", err)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(value), "\n"), "\r"), nil
}

// errNotDone is that the user has said no.
var errNotDone = errors.New("nothing was done")

// confirm asks before something that cannot be undone. Where nobody can be asked, a flag must have said yes.
func confirm(t *Terminal, question string) error {
	if !t.Asks {
		return errors.New("nobody is there to be asked; say --yes")
	}
	fmt.Fprintf(t.Err, "%s [y/N] ", question)
	answer, err := bufio.NewReader(t.In).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the answer: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errNotDone
}
