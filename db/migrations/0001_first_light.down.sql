DROP TABLE log_chunks, task_logs, gateway_uptime, task_outputs, tasks, registration_tokens, runners, offers, jobs,
    label_sets, attempts, runs, disabled_workflows, pending_pushes, git_refs, collaborators, repositories, access_tokens, org_members, owners;
