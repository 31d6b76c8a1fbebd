package workflowfile

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/internal/ci"
)

func TestRetry(t *testing.T) {
	all := func(attempts int, backoff time.Duration) *ci.Retry {
		return &ci.Retry{MaxAttempts: attempts, OnFailure: true, OnTimeout: true, OnLost: true, Backoff: backoff}
	}
	const usual = ci.DefaultRetryBackoff
	for keys, want := range map[string]*ci.Retry{
		"x: y":                                                   nil,
		"retry: ":                                                nil,
		"retry: 1":                                               all(1, usual),
		"retry: 10":                                              all(10, usual),
		"retry: {max-attempts: 3}":                               all(3, usual),
		"retry: {max-attempts: 3, backoff: 0}":                   all(3, 0),
		"retry: {max-attempts: 3, backoff: 1.5}":                 all(3, 1500*time.Millisecond),
		"retry: {max-attempts: 3, backoff: 30s}":                 all(3, 30*time.Second),
		"retry: {max-attempts: 3, backoff: 5m}":                  all(3, 5*time.Minute),
		"retry: {max-attempts: 3, backoff: 1h}":                  all(3, time.Hour),
		"retry: {max-attempts: 2, on: failure}":                  {MaxAttempts: 2, OnFailure: true, Backoff: usual},
		"retry: {max-attempts: 2, on: [timeout]}":                {MaxAttempts: 2, OnTimeout: true, Backoff: usual},
		"retry: {max-attempts: 2, on: [lost, lost]}":             {MaxAttempts: 2, OnLost: true, Backoff: usual},
		"retry: {max-attempts: 2, on: [failure, timeout, lost]}": all(2, usual),
		"retry: {max-attempts: 2, on: []}":                       {MaxAttempts: 2, Backoff: usual},
	} {
		require.Equal(t, want, planJob(t, keys)[0].Retry, keys)
	}
	for keys, want := range map[string]string{
		"retry: '3'":                                "ci.yml:6:12: `retry` must be a number or a mapping, not a string",
		"retry: true":                               "`retry` must be a number or a mapping, not a boolean",
		"retry: [3]":                                "`retry` must be a number or a mapping, not a list",
		"retry: ${{ vars.X }}":                      "`retry` must be a number or a mapping, not a string",
		"retry: 0":                                  "ci.yml:6:12: `retry` must be a whole number from 1 to 10, not 0",
		"retry: 11":                                 "`retry` must be a whole number from 1 to 10, not 11",
		"retry: 1.5":                                "`retry` must be a whole number from 1 to 10, not 1.5",
		"retry: .nan":                               "`retry` must be a whole number from 1 to 10, not NaN",
		"retry: {}":                                 "ci.yml:6:12: `retry` must have `max-attempts`",
		"retry: {max-attempts: many}":               "ci.yml:6:27: `retry.max-attempts` must be a whole number, not a string",
		"retry: {max-attempts: -1}":                 "`retry.max-attempts` must be a whole number from 1 to 10, not -1",
		"retry: {max-attempts: 3, attempts: 3}":     "ci.yml:6:30: `retry` has no key \"attempts\"; there are: max-attempts, on, backoff",
		"retry: {max-attempts: 3, on: oom}":         "ci.yml:6:34: `retry.on` knows failure, timeout and lost, not \"oom\"",
		"retry: {max-attempts: 3, on: {a: b}}":      "`retry.on` must be a string or a list of strings, not a mapping",
		"retry: {max-attempts: 3, on: [[failure]]}": "`retry.on` must be a list of single values, not a list",
		"retry: {max-attempts: 3, backoff: soon}":   "ci.yml:6:39: `retry.backoff` must be a number of seconds or a duration such as 30s or 5m, not a string",
		"retry: {max-attempts: 3, backoff: [1]}":    "`retry.backoff` must be a number of seconds or a duration such as 30s or 5m, not a list",
		"retry: {max-attempts: 3, backoff: true}":   "`retry.backoff` must be a number of seconds or a duration such as 30s or 5m, not a boolean",
		"retry: {max-attempts: 3, backoff: -1}":     "`retry.backoff` must be from 0 to 3600 seconds, not \"-1\"",
		"retry: {max-attempts: 3, backoff: 1e300}":  "`retry.backoff` must be from 0 to 3600 seconds, not \"1e300\"",
		"retry: {max-attempts: 3, backoff: 61m}":    "`retry.backoff` must be from 0 to 3600 seconds, not \"61m\"",
		"retry: {max-attempts: 3, backoff: .nan}":   "`retry.backoff` must be a number of seconds",
	} {
		require.Contains(t, strings.Join(problemsOf(t, job(keys)), "\n"), want, keys)
	}
}

func TestPriority(t *testing.T) {
	for keys, want := range map[string]int{
		"x: y": 0, "priority: ": 0, "priority: 7": 7, "priority: -100": -100, "priority: 100": 100, "priority: '8'": 8,
		"priority: ${{ inputs.n }}": 2, "priority: ${{ '9' }}": 9, "priority: ${{ inputs.n == 2 && 10 || 0 }}": 10,
	} {
		require.Equal(t, want, planJob(t, keys)[0].Priority, keys)
	}
	for keys, want := range map[string]string{
		"priority: high":                     "ci.yml:6:15: `priority` must be a number or an expression, not a string",
		"priority: [1]":                      "`priority` must be a number or an expression, not a list",
		"priority: 101":                      "ci.yml:6:15: `priority` must be a whole number from -100 to 100, not 101",
		"priority: '101'":                    "`priority` must be a whole number from -100 to 100, not 101",
		"priority: 1.5":                      "`priority` must be a whole number from -100 to 100, not 1.5",
		"priority: ${{ -101 }}":              "`priority` must be a whole number from -100 to 100, not -101",
		"priority: ${{ 'x' }}":               "`priority` must be a number, not \"x\"",
		"priority: ${{ secrets.X }}":         "the context 'secrets' is not available in `priority`",
		"priority: ${{ github.event.nope }}": "`priority` must be a number, not \"\"",
	} {
		require.Contains(t, strings.Join(problemsOf(t, job(keys)), "\n"), want, keys)
	}
	p := plan(t, "on: push\njobs:\n  a: {steps: [{run: x}]}\n  b: {priority: 0, steps: [{run: x}]}\n", PlanContext{Priority: 9})
	require.Equal(t, 9, p.Jobs[0].Priority, "of the caller")
	require.Equal(t, 0, p.Jobs[1].Priority)
}
