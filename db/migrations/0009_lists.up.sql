-- Lists and counts are read from indexes alone, which Postgres can do only where it knows that rows are visible to all. By
-- default it looks at a table after a fifth of it has changed: with a million runs that is too late (docs/performance.md).
ALTER TABLE runs SET (
    autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_insert_scale_factor = 0.01, autovacuum_analyze_scale_factor = 0.02
);
ALTER TABLE attempts SET (
    autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_insert_scale_factor = 0.01, autovacuum_analyze_scale_factor = 0.02
);
ALTER TABLE jobs SET (
    autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_insert_scale_factor = 0.01, autovacuum_analyze_scale_factor = 0.02
);
ALTER TABLE tasks SET (
    autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_insert_scale_factor = 0.01, autovacuum_analyze_scale_factor = 0.02
);

-- The status of what stood in the place of cells that were not known yet: its end is told too, so that nobody waits for it. Jobs
-- that were never to be seen (those of a rerun whose cells pass through) are not told of at all.
CREATE OR REPLACE FUNCTION note_new_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO status_events (repo_id, owner_id, run_id, attempt, job_id, status, is_first)
        SELECT repo_id, owner_id, run_id, attempt, id, status, true FROM added WHERE NOT is_hidden ORDER BY id;
    RETURN NULL;
END;
$$;
DROP TRIGGER jobs_status_noted ON jobs;
CREATE TRIGGER jobs_status_noted AFTER UPDATE OF status ON jobs FOR EACH ROW
    WHEN (OLD.status <> NEW.status AND NEW.status <> 'cancelling' AND NOT OLD.is_hidden) EXECUTE FUNCTION note_job();

-- Smaller blocks for the lists of a repository, so that a far page passes over a few thousand keys at most.
CREATE OR REPLACE FUNCTION list_block_of_repo(id bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT id >> 16';
SELECT recount_lists();
