package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/internal/git"
)

func TestOutsideRepositoriesAreFetchedFromWhereTheyMay(t *testing.T) {
	for list, want := range map[string]map[string]bool{
		"external":          {"http://127.0.0.1/x": false, "http://localhost/x": false, "https://1.1.1.1/x": true, "http://10.0.0.1/x": false},
		"external,loopback": {"http://127.0.0.1/x": true, "http://10.0.0.1/x": false},
		"git.internal":      {"http://git.internal/x": true, "https://1.1.1.1/x": false},
		"*":                 {"http://127.0.0.1/x": true},
	} {
		mirror, err := serverConfig{CloneAllowedHosts: list}.mirror()
		require.NoError(t, err)
		for url, ok := range want {
			require.Equal(t, ok, git.CheckMirrorURL(url, mirror) == nil, "%s: %s", list, url)
		}
	}
	_, err := serverConfig{CloneAllowedHosts: "a b"}.mirror()
	require.Error(t, err)
	_, err = hookConfig{HookAllowedHosts: "http://x"}.guard()
	require.ErrorContains(t, err, "http://x")
}
