DROP TRIGGER task_logs_discarded ON task_logs;
DROP FUNCTION discard_log();
DELETE FROM log_chunks c USING discarded_logs d WHERE c.task_id = d.task_id;
DROP TABLE discarded_logs;
ALTER TABLE log_chunks ADD CONSTRAINT log_chunks_task_id_fkey FOREIGN KEY (task_id) REFERENCES tasks ON DELETE CASCADE;
ALTER TABLE task_logs DROP COLUMN is_truncated;
DROP INDEX runs_logs, runs_ended, runs_branch;
ALTER TABLE runs DROP COLUMN logs_expired_at;
ALTER TABLE repositories DROP COLUMN log_retention_days, DROP COLUMN failed_log_retention_days, DROP COLUMN run_retention_days;
