DROP TRIGGER runs_added ON runs;
DROP TRIGGER runs_gone ON runs;
DROP TRIGGER runs_moved ON runs;
DROP TRIGGER jobs_added ON jobs;
DROP TRIGGER jobs_gone ON jobs;
DROP TRIGGER jobs_moved ON jobs;
DROP TRIGGER tasks_added ON tasks;
DROP TRIGGER tasks_gone ON tasks;
DROP TRIGGER tasks_moved ON tasks;
DROP FUNCTION count_runs, count_jobs, count_tasks, recount_run, recount_job, recount_task, fold_list_counts, recount_lists,
    list_block, list_block_of_run, list_block_of_repo;
DROP TABLE list_counts, list_deltas;

DROP INDEX jobs_visible, jobs_repo, jobs_owner, jobs_status, jobs_repo_status, jobs_owner_status;
CREATE INDEX jobs_repo ON jobs (repo_id, id);
CREATE INDEX jobs_owner ON jobs (owner_id, id);
CREATE INDEX jobs_repo_status ON jobs (repo_id, status, id);

DROP INDEX runs_repo_status, runs_repo_workflow, runs_repo_event, runs_repo_ref, runs_repo_actor, runs_owner_status,
    runs_owner_event, runs_owner_ref, runs_owner_actor, runs_status, runs_event, runs_ref, runs_actor, runs_sha, runs_source;
CREATE INDEX runs_repo_status ON runs (repo_id, status, run_number DESC);
CREATE INDEX runs_repo_workflow ON runs (repo_id, workflow_file, run_number DESC);
CREATE INDEX runs_repo_sha ON runs (repo_id, sha);
