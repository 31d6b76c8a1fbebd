package git

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxPushRefs bounds the refs that one push may change.
const maxPushRefs = 50_000

// objection reads which refs a push wants to change and returns why it must be refused, or "". What git
// itself finds wrong with the request is left to git.
func objection(request io.Reader) string {
	reader := bufio.NewReader(request)
	for count := 0; ; count++ {
		line, err := readPacket(reader)
		if err != nil || line == "" {
			return ""
		}
		if count == maxPushRefs {
			return fmt.Sprintf("a push may change at most %d refs", maxPushRefs)
		}
		if err := checkCommand(line); err != nil {
			return err.Error()
		}
	}
}

// checkCommand checks "<old> <new> <ref>", with the client's capabilities after a NUL. Other lines
// ("shallow <sha>") pass. Git would take names that no database text or JSON can hold.
func checkCommand(line string) error {
	command, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\x00")
	fields := strings.SplitN(command, " ", 3)
	if len(fields) != 3 || !IsSHA(fields[0]) || !IsSHA(fields[1]) {
		return nil
	}
	return CheckRefName(fields[2])
}

// readPacket returns the content of a packet; "" for the flush packet that ends a list.
func readPacket(r io.Reader) (string, error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil {
		return "", err
	}
	n := packetLength(head)
	if n <= 4 {
		return "", nil
	}
	content := make([]byte, n-4)
	if _, err := io.ReadFull(r, content); err != nil {
		return "", errors.Join(io.ErrUnexpectedEOF, err)
	}
	return string(content), nil
}
