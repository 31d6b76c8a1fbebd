package git

import (
	"os"
	"strings"
)

// inherited names the variables of the server that git may see: where programs, libraries, temporary
// files, certificates and proxies are. Everything else, above all GIT_*, stays out.
var inherited = []string{
	"PATH", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH",
	"SSL_CERT_FILE", "SSL_CERT_DIR",
	"http_proxy", "https_proxy", "no_proxy", "all_proxy",
	"HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
}

// environment is what every git process starts with. The home directory holds the configuration of
// the store and nothing of the account that runs the server.
func environment(home string) []string {
	env := []string{
		"HOME=" + home,
		"XDG_CONFIG_HOME=" + home,
		"LC_ALL=C",
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_ATTR_NOSYSTEM=1",
		"GIT_TERMINAL_PROMPT=0",
		"GIT_LITERAL_PATHSPECS=1",
		"GIT_OPTIONAL_LOCKS=0",
		// A pushed refs/replace/* must not change what a commit says.
		"GIT_NO_REPLACE_OBJECTS=1",
		// Only transports that the mirror code names.
		"GIT_ALLOW_PROTOCOL=",
		"GIT_PROTOCOL_FROM_USER=0",
	}
	for _, name := range inherited {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// describe shortens a command line to its subcommand for errors: arguments may be long.
func describe(args []string) string {
	for i := 0; i < len(args); i++ {
		if args[i] == "-c" {
			i++
			continue
		}
		if !strings.HasPrefix(args[i], "-") {
			return args[i]
		}
	}
	return "command"
}
