#!/bin/sh
# Registers the runner once, then runs it. A SIGTERM lets running jobs finish for as long as the configuration says.
# Environment: PAWL_URL, RUNNER_NAME, and RUNNER_TOKEN for the first start.
set -eu

config=/etc/runner/config.yaml

if [ ! -s /data/.runner ]; then
	[ -n "${RUNNER_TOKEN:-}" ] || {
		echo "the runner is not registered: set PAWL_RUNNER_TOKEN to a registration token" >&2
		exit 1
	}
	gitea-runner register --no-interactive --config "$config" \
		--instance "$PAWL_URL" --token "$RUNNER_TOKEN" --name "$RUNNER_NAME"
fi

unset RUNNER_TOKEN
exec gitea-runner daemon --config "$config"
