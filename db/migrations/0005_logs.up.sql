-- What logs and runs need to come to an end: limits, retention and deletion.

ALTER TABLE repositories                                       -- in days; 0: as the installation
    ADD COLUMN log_retention_days        integer NOT NULL DEFAULT 0 CHECK (log_retention_days >= 0),
    ADD COLUMN failed_log_retention_days integer NOT NULL DEFAULT 0 CHECK (failed_log_retention_days >= 0),
    ADD COLUMN run_retention_days        integer NOT NULL DEFAULT 0 CHECK (run_retention_days >= 0);

ALTER TABLE runs ADD COLUMN logs_expired_at timestamptz;       -- all its logs have expired; a rerun takes it back
-- What is due is found repository by repository, because each has its own number of days.
CREATE INDEX runs_logs ON runs (repo_id, (status = 'failure'), stopped_at) WHERE logs_expired_at IS NULL AND stopped_at IS NOT NULL;
CREATE INDEX runs_ended ON runs (repo_id, stopped_at) WHERE stopped_at IS NOT NULL;
CREATE INDEX runs_branch ON runs (repo_id, workflow_file, ref, run_number DESC); -- badges

ALTER TABLE task_logs ADD COLUMN is_truncated boolean NOT NULL DEFAULT false;    -- it has reached its limit

-- Logs that nobody sees any more, and whose chunks are still to be removed. That is done in small pieces, because a log
-- may be large: whoever expires a log or deletes its task only notes it here.
CREATE TABLE discarded_logs (
    task_id bigint PRIMARY KEY
);
ALTER TABLE log_chunks DROP CONSTRAINT log_chunks_task_id_fkey;
-- It is a trigger because logs go in more than one way: with their run, and with their repository.
CREATE FUNCTION discard_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO discarded_logs (task_id) VALUES (OLD.task_id) ON CONFLICT DO NOTHING;
    RETURN NULL;
END;
$$;
CREATE TRIGGER task_logs_discarded AFTER DELETE ON task_logs
    FOR EACH ROW WHEN (OLD.row_count > 0) EXECUTE FUNCTION discard_log();
