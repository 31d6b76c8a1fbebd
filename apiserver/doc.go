// Package apiserver answers everything that is not a runner: the REST API under /api/v1, which is compatible with that
// of Gitea 1.27 (rest-api.md), git over smart HTTP, and a few plain pages.
//
// Each resource has one file with its routes beside their handlers. A handler decodes, calls, encodes; who may call it
// is said by the guards in its route. For every request the order is that of rest-api.md §1.3: credentials, scope,
// look-up, permission, body, handler.
//
// Deviations from Gitea, each on purpose:
//
//   - A member of an organization may read its repositories and nothing more; write and admin are given to
//     collaborators by name, as there are no teams. Only owners create repositories in an organization.
//   - An unknown actor in a list filter selects nothing, where Gitea answers 500.
//   - All times are UTC, without fractions of a second.
//   - GET .../actions/runners/registration-token works as POST does, for older clients.
//   - The first commit of auto_init holds a README only; templates of gitignores and licenses are refused.
//   - Files are changed on existing branches only (or the first one of an empty repository): no new_branch, no from_path.
//   - Repositories are not renamed, so that nothing redirects.
//   - The list of workflows of an empty repository is empty, where Gitea answers 500.
//   - Approving a run answers 204, the first time and every further one (Gitea has no such call yet, GitHub answers 201).
//
// What Gitea does not have: the Idempotency-Key of a dispatch, force-cancel, pause and resume, the environments and
// reviews of GitHub (with organizations in the place of teams, and without branch policies), settings of
// repositories and owners, the registration of scoped workflows, the tasks of a job with a log for each, the
// timeline of a run, and why a job or run waits (pending_reason).
//
// The http.Server in front should set ReadHeaderTimeout (10 s) and IdleTimeout (2 min), and leave ReadTimeout and
// WriteTimeout 0: bodies have a deadline of their own here, and logs and git transfers move their deadlines as they
// progress.
package apiserver
