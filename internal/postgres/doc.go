// Package postgres runs a private PostgreSQL cluster in a directory: it finds the
// binaries or downloads them, creates the cluster, runs its server supervised, and
// recovers whatever a killed predecessor left behind.
//
// PostgreSQL refuses to run as root. Started by root, the server runs as an unprivileged
// user, who then owns the cluster's directory; the directories above it stay as they are.
//
// The cluster listens on the loopback address only and asks for a generated password.
package postgres
