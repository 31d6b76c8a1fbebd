// Package audit writes the audit log: who did what, to what, when, from where, and how it ended. The API server records what
// its endpoints change, the runner gateway registrations, and `pawl admin` its commands. Entries carry names and ids, never
// bodies or values. The log is append-only (db, migration 0008); what is older than the retention is swept.
package audit
