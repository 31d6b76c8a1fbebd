CREATE OR REPLACE FUNCTION list_block_of_repo(id bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT id >> 18';
SELECT recount_lists();

DROP TRIGGER jobs_status_noted ON jobs;
CREATE TRIGGER jobs_status_noted AFTER UPDATE OF status ON jobs FOR EACH ROW
    WHEN (OLD.status <> NEW.status AND NEW.status <> 'cancelling' AND NOT NEW.is_hidden) EXECUTE FUNCTION note_job();
CREATE OR REPLACE FUNCTION note_new_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO status_events (repo_id, owner_id, run_id, attempt, job_id, status, is_first)
        SELECT repo_id, owner_id, run_id, attempt, id, status, true FROM added ORDER BY id;
    RETURN NULL;
END;
$$;

ALTER TABLE runs RESET (
    autovacuum_vacuum_scale_factor, autovacuum_vacuum_insert_scale_factor, autovacuum_analyze_scale_factor
);
ALTER TABLE attempts RESET (
    autovacuum_vacuum_scale_factor, autovacuum_vacuum_insert_scale_factor, autovacuum_analyze_scale_factor
);
ALTER TABLE jobs RESET (
    autovacuum_vacuum_scale_factor, autovacuum_vacuum_insert_scale_factor, autovacuum_analyze_scale_factor
);
ALTER TABLE tasks RESET (
    autovacuum_vacuum_scale_factor, autovacuum_vacuum_insert_scale_factor, autovacuum_analyze_scale_factor
);
