// Package freeport finds TCP ports for servers that keep their port over restarts.
package freeport

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"time"
)

// The range lies below the ephemeral ports of the usual systems (32768 and up on Linux,
// 49152 on others). A port from there could be taken as the source port of a connection
// while its server restarts; clients that keep dialling it can even connect to themselves.
const (
	first = 20_000
	last  = 32_000
	tries = 200
)

// Find returns a port on which host can be bound at this moment, an IP address.
func Find(host string) (int, error) {
	var refused error
	for range tries {
		port := first + rand.IntN(last-first)
		if refused = Check(host, port); refused == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("find a free port on %s: %w", host, refused)
}

// Check returns why host:port cannot be bound at this moment, nil if it can.
func Check(host string, port int) error {
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return err
	}
	return l.Close()
}

// patience is how long a port may still be held by a process that is just ending.
const (
	patience = 500 * time.Millisecond
	pause    = 10 * time.Millisecond
)

// Resolve returns wanted if it is a port, which must be free. Otherwise, for 0, it
// returns the first free one of the remembered ports, and at last any free port.
func Resolve(host string, wanted int, remembered ...int) (int, error) {
	if wanted < 0 || wanted > 65535 {
		return 0, errors.New("not a port: " + strconv.Itoa(wanted))
	}
	if wanted > 0 {
		return wanted, await(host, wanted)
	}
	for _, port := range remembered {
		if port > 0 && await(host, port) == nil {
			return port, nil
		}
	}
	return Find(host)
}

// await checks a port until it is free or patience ends.
func await(host string, port int) error {
	for deadline := time.Now().Add(patience); ; time.Sleep(pause) {
		err := Check(host, port)
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}
