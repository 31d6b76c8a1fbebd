CREATE OR REPLACE FUNCTION list_block(id bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT id >> 15';
ALTER TABLE list_counts DROP CONSTRAINT list_counts_pkey, SET (fillfactor = 50);
ALTER TABLE list_counts ADD PRIMARY KEY (list, scope, scope_id, status, event, workflow_file, source_repo_id, block);
CREATE OR REPLACE FUNCTION fold_list_counts() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    folded bigint;
    empty  tid[];
BEGIN
    IF NOT pg_try_advisory_xact_lock(x'666f6c64'::bigint) OR NOT EXISTS (SELECT FROM list_deltas) THEN
        RETURN 0;
    END IF;
    WITH gone AS (
        DELETE FROM list_deltas RETURNING *
    ), scoped AS (
        SELECT list, 'repo' AS scope, repo_id AS scope_id, status, event, workflow_file, source_repo_id, repo_block AS block, n FROM gone
        UNION ALL
        SELECT list, 'owner', owner_id, status, event, '', 0, block, n FROM gone WHERE list <> 'tasks'
        UNION ALL
        SELECT list, 'all', 0, status, event, '', 0, block, n FROM gone WHERE list <> 'tasks'
    ), summed AS (
        SELECT list, scope, scope_id, status, event, workflow_file, source_repo_id, block, sum(n) AS n FROM scoped
        GROUP BY list, scope, scope_id, status, event, workflow_file, source_repo_id, block
    ), kept AS (
        INSERT INTO list_counts AS c (list, scope, scope_id, status, event, workflow_file, source_repo_id, block, n)
            SELECT * FROM summed WHERE n <> 0
        ON CONFLICT (list, scope, scope_id, status, event, workflow_file, source_repo_id, block) DO UPDATE SET n = c.n + excluded.n
        RETURNING c.ctid AS place, c.n
    )
    SELECT (SELECT count(*) FROM gone), (SELECT array_agg(place) FROM kept WHERE n = 0) INTO folded, empty;
    DELETE FROM list_counts WHERE ctid = ANY(empty);
    RETURN folded;
END;
$$;
SELECT recount_lists();
