package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	const good = "services:\n  a:\n    image: x:1\n    environment: {P: \"${SECRET:?missing}\"}\n"
	for _, row := range []struct{ name, compose, want string }{
		{"good", good, ""},
		{"secret with a default", strings.Replace(good, ":?missing", ":-secret", 1), "loads without SECRET"},
		{"unknown key", good + "    imagine: x\n", "imagine"},
		{"unknown volume", good + "    volumes: [data:/data]\n", "data"},
		{"unknown dependency", good + "    depends_on: [b]\n", "b"},
		{"no yaml", "\t", "yaml"},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			compose, env := filepath.Join(dir, "compose.yml"), filepath.Join(dir, "env")
			write(t, compose, row.compose)
			write(t, env, "# comment=no\nSECRET=\nPORT=1\nPAWL_RUNNER_TOKEN=\n")
			err := check(compose, env, io.Discard)
			if row.want == "" && err != nil {
				t.Fatal(err)
			}
			if row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
				t.Fatalf("%v does not contain %q", err, row.want)
			}
		})
	}
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
