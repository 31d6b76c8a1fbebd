DROP TABLE alerts, timeline, deployments, gate_entries, gates, attempt_files, news, environments, job_limits, scoped_opt_outs,
    scoped_sources;
DROP TRIGGER tasks_place ON tasks;
DROP TRIGGER tasks_place_deleted ON tasks;
DROP FUNCTION give_place_back, wake_owner, wake_repo;
ALTER TABLE tasks DROP COLUMN owner_id, DROP COLUMN cause;
DROP INDEX tasks_open_repo;
DROP INDEX offers_queue, offers_queue_owner, offers_queue_repo, offers_open_attempt, offers_held;
UPDATE offers SET state = 'queued' WHERE state = 'held';
ALTER TABLE offers DROP CONSTRAINT offers_state_check;
ALTER TABLE offers ADD CONSTRAINT offers_state_check CHECK (state IN ('queued', 'claimed', 'withdrawn')),
    DROP COLUMN turn, DROP COLUMN not_before;
CREATE INDEX offers_queue ON offers (label_set_id, priority DESC, id) WHERE state = 'queued';
CREATE INDEX offers_queue_owner ON offers (label_set_id, owner_id, priority DESC, id) WHERE state = 'queued';
CREATE INDEX offers_queue_repo ON offers (label_set_id, repo_id, priority DESC, id) WHERE state = 'queued';
CREATE INDEX offers_queued_attempt ON offers (attempt_id) WHERE state = 'queued';
ALTER TABLE jobs DROP COLUMN kind, DROP COLUMN parent_id, DROP COLUMN origin_id, DROP COLUMN expanded_at, DROP COLUMN is_hidden,
    DROP COLUMN file, DROP COLUMN uses, DROP COLUMN call_inputs, DROP COLUMN call_secrets, DROP COLUMN outputs,
    DROP COLUMN is_gated, DROP COLUMN if_at, DROP COLUMN if_matrix, DROP COLUMN priority, DROP COLUMN retry,
    DROP COLUMN follows_id, DROP COLUMN by_fail_fast, DROP COLUMN class;
ALTER TABLE attempts DROP COLUMN concurrency, DROP COLUMN paused_at, DROP COLUMN paused_by, DROP COLUMN cancel_reason,
    DROP COLUMN cancel_forced, DROP COLUMN reason;
ALTER TABLE runs DROP COLUMN source_repo_id, DROP COLUMN approval, DROP COLUMN approved_by, DROP COLUMN approved_at;
ALTER TABLE repositories DROP COLUMN paused_at, DROP COLUMN paused_by, DROP COLUMN approval;
