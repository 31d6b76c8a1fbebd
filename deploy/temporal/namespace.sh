#!/bin/sh
# Makes the namespace of Pawl with the search attributes that its runs are found by. Running it again changes nothing.
# Environment: TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE, as the Temporal CLI reads them, and RETENTION, for how long
# the histories of finished runs are kept (the results and logs are kept by Pawl itself).
set -eu

# A server that has just opened its port may still refuse for some seconds.
tries=60
until temporal operator cluster health >/dev/null 2>&1; do
	tries=$((tries - 1))
	[ "$tries" -gt 0 ] || {
		echo "Temporal at $TEMPORAL_ADDRESS does not answer" >&2
		exit 1
	}
	sleep 1
done

temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1 ||
	temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION"

# A new namespace is known to all parts of the server after some seconds.
until temporal operator search-attribute list --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1; do
	tries=$((tries - 1))
	[ "$tries" -gt 0 ] || {
		echo "the namespace $TEMPORAL_NAMESPACE does not answer" >&2
		exit 1
	}
	sleep 1
done

# Attributes that are there already are left as they are.
temporal operator search-attribute create --namespace "$TEMPORAL_NAMESPACE" \
	--name PawlRepository --type Keyword \
	--name PawlWorkflow --type Keyword \
	--name PawlEvent --type Keyword \
	--name PawlBranch --type Keyword \
	--name PawlActor --type Keyword \
	--name PawlConclusion --type Keyword \
	--name PawlRunNumber --type Int
