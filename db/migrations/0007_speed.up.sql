-- Lists of millions of runs and jobs: indexes for every filter, and counts that are kept and not made (docs/performance.md).

-- Indexes --------------------------------------------------------------------------------------

-- Each filter of runs has one for a repository, ordered by run_number, and one for owners and the installation, ordered by
-- id. What is included lets a combination of filters be decided without a look at the rows.
DROP INDEX runs_repo_status, runs_repo_workflow, runs_repo_sha;
CREATE INDEX runs_repo_status ON runs (repo_id, status, run_number DESC) INCLUDE (workflow_file, event, source_repo_id);
CREATE INDEX runs_repo_workflow ON runs (repo_id, workflow_file, run_number DESC) INCLUDE (status, event, source_repo_id);
CREATE INDEX runs_repo_event ON runs (repo_id, event, run_number DESC) INCLUDE (status, workflow_file, source_repo_id);
CREATE INDEX runs_repo_ref ON runs (repo_id, ref, run_number DESC) INCLUDE (status, workflow_file, event, source_repo_id, actor_id);
CREATE INDEX runs_repo_actor ON runs (repo_id, actor_id, run_number DESC) INCLUDE (status, workflow_file, event, source_repo_id, ref);
CREATE INDEX runs_owner_status ON runs (owner_id, status, id DESC) INCLUDE (event);
CREATE INDEX runs_owner_event ON runs (owner_id, event, id DESC) INCLUDE (status);
CREATE INDEX runs_owner_ref ON runs (owner_id, ref, id DESC) INCLUDE (status, event, actor_id);
CREATE INDEX runs_owner_actor ON runs (owner_id, actor_id, id DESC) INCLUDE (status, event, ref);
CREATE INDEX runs_status ON runs (status, id DESC) INCLUDE (event);
CREATE INDEX runs_event ON runs (event, id DESC) INCLUDE (status);
CREATE INDEX runs_ref ON runs (ref, id DESC) INCLUDE (status, event, actor_id);
CREATE INDEX runs_actor ON runs (actor_id, id DESC) INCLUDE (status, event, ref);
CREATE INDEX runs_sha ON runs (sha, id DESC);
CREATE INDEX runs_source ON runs (source_repo_id, id DESC) WHERE source_repo_id <> 0;

-- Hidden jobs are in no list.
DROP INDEX jobs_repo, jobs_owner, jobs_repo_status;
CREATE INDEX jobs_visible ON jobs (id) WHERE NOT is_hidden;
CREATE INDEX jobs_repo ON jobs (repo_id, id) WHERE NOT is_hidden;
CREATE INDEX jobs_owner ON jobs (owner_id, id) WHERE NOT is_hidden;
CREATE INDEX jobs_status ON jobs (status, id) WHERE NOT is_hidden;
CREATE INDEX jobs_repo_status ON jobs (repo_id, status, id) WHERE NOT is_hidden;
CREATE INDEX jobs_owner_status ON jobs (owner_id, status, id) WHERE NOT is_hidden;

-- Counts ---------------------------------------------------------------------------------------

-- How long the lists are, by what they can be filtered with, in blocks of keys, so that a page far from both ends is found
-- without a walk to it. The scope 'all' has scope_id 0. Runs of a repository are counted by workflow, those of owners and of
-- the installation are not; jobs have a status only, tasks nothing.
CREATE TABLE list_counts (
    list           text NOT NULL CHECK (list IN ('runs', 'jobs', 'tasks')),
    scope          text NOT NULL CHECK (scope IN ('repo', 'owner', 'all')),
    scope_id       bigint NOT NULL,
    status         text NOT NULL,
    event          text NOT NULL,
    workflow_file  text NOT NULL,
    source_repo_id bigint NOT NULL,
    block          bigint NOT NULL,
    n              bigint NOT NULL,
    PRIMARY KEY (list, scope, scope_id, status, event, workflow_file, source_repo_id, block)
) WITH (fillfactor = 50);

-- What has changed since list_counts was last brought up to date. Whoever changes a list appends here, and so never waits
-- for anybody else who does; a sweep folds it (fold_list_counts). A count is the sum of both tables. It has no index:
-- it is short, and read whole.
CREATE TABLE list_deltas (
    list           text NOT NULL,
    repo_id        bigint NOT NULL,
    owner_id       bigint NOT NULL,
    status         text NOT NULL DEFAULT '',
    event          text NOT NULL DEFAULT '',
    workflow_file  text NOT NULL DEFAULT '',
    source_repo_id bigint NOT NULL DEFAULT 0,
    block          bigint NOT NULL,               -- in the lists of the owner and of all
    repo_block     bigint NOT NULL,               -- in those of the repository
    n              bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_insert_threshold = -1);

-- The block of an entry. The repository's lists of runs are in the order of run_number, all others of id. db/list_counts.go
-- has the same numbers.
CREATE FUNCTION list_block(id bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT id >> 15';
CREATE FUNCTION list_block_of_run(run_number bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT run_number >> 14';
CREATE FUNCTION list_block_of_repo(id bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT id >> 18';

-- Adds what came to a list or left it in one statement; the argument is 1 or -1.
CREATE FUNCTION count_runs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO list_deltas (list, repo_id, owner_id, status, event, workflow_file, source_repo_id, block, repo_block, n)
        SELECT 'runs', repo_id, owner_id, status, event, workflow_file, source_repo_id, list_block(id), list_block_of_run(run_number),
            TG_ARGV[0]::bigint * count(*)
        FROM changed GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9;
    RETURN NULL;
END;
$$;
CREATE FUNCTION count_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO list_deltas (list, repo_id, owner_id, status, block, repo_block, n)
        SELECT 'jobs', repo_id, owner_id, status, list_block(id), list_block_of_repo(id), TG_ARGV[0]::bigint * count(*)
        FROM changed WHERE NOT is_hidden GROUP BY 1, 2, 3, 4, 5, 6;
    RETURN NULL;
END;
$$;
CREATE FUNCTION count_tasks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO list_deltas (list, repo_id, owner_id, block, repo_block, n)
        SELECT 'tasks', repo_id, owner_id, 0, list_block_of_repo(id), TG_ARGV[0]::bigint * count(*)
        FROM changed GROUP BY 1, 2, 3, 4, 5;
    RETURN NULL;
END;
$$;

-- A change is for each row: most statements change one, and most change nothing that is counted, which then costs nothing.
CREATE FUNCTION recount_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO list_deltas (list, repo_id, owner_id, status, event, workflow_file, source_repo_id, block, repo_block, n) VALUES
        ('runs', OLD.repo_id, OLD.owner_id, OLD.status, OLD.event, OLD.workflow_file, OLD.source_repo_id,
            list_block(OLD.id), list_block_of_run(OLD.run_number), -1),
        ('runs', NEW.repo_id, NEW.owner_id, NEW.status, NEW.event, NEW.workflow_file, NEW.source_repo_id,
            list_block(NEW.id), list_block_of_run(NEW.run_number), 1);
    RETURN NULL;
END;
$$;
CREATE FUNCTION recount_job() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO list_deltas (list, repo_id, owner_id, status, block, repo_block, n) VALUES
        ('jobs', OLD.repo_id, OLD.owner_id, OLD.status, list_block(OLD.id), list_block_of_repo(OLD.id), OLD.is_hidden::int - 1),
        ('jobs', NEW.repo_id, NEW.owner_id, NEW.status, list_block(NEW.id), list_block_of_repo(NEW.id), 1 - NEW.is_hidden::int);
    RETURN NULL;
END;
$$;
CREATE FUNCTION recount_task() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO list_deltas (list, repo_id, owner_id, block, repo_block, n) VALUES
        ('tasks', OLD.repo_id, OLD.owner_id, 0, list_block_of_repo(OLD.id), -1),
        ('tasks', NEW.repo_id, NEW.owner_id, 0, list_block_of_repo(NEW.id), 1);
    RETURN NULL;
END;
$$;

CREATE TRIGGER runs_added AFTER INSERT ON runs REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_runs('1');
CREATE TRIGGER runs_gone AFTER DELETE ON runs REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_runs('-1');
CREATE TRIGGER runs_moved AFTER UPDATE OF repo_id, owner_id, status, event, workflow_file, source_repo_id ON runs
    FOR EACH ROW WHEN ((OLD.repo_id, OLD.owner_id, OLD.status, OLD.event, OLD.workflow_file, OLD.source_repo_id)
        IS DISTINCT FROM (NEW.repo_id, NEW.owner_id, NEW.status, NEW.event, NEW.workflow_file, NEW.source_repo_id))
    EXECUTE FUNCTION recount_run();
CREATE TRIGGER jobs_added AFTER INSERT ON jobs REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_jobs('1');
CREATE TRIGGER jobs_gone AFTER DELETE ON jobs REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_jobs('-1');
CREATE TRIGGER jobs_moved AFTER UPDATE OF repo_id, owner_id, status, is_hidden ON jobs
    FOR EACH ROW WHEN ((OLD.repo_id, OLD.owner_id, OLD.status, OLD.is_hidden)
        IS DISTINCT FROM (NEW.repo_id, NEW.owner_id, NEW.status, NEW.is_hidden))
    EXECUTE FUNCTION recount_job();
CREATE TRIGGER tasks_added AFTER INSERT ON tasks REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_tasks('1');
CREATE TRIGGER tasks_gone AFTER DELETE ON tasks REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_tasks('-1');
CREATE TRIGGER tasks_moved AFTER UPDATE OF repo_id, owner_id ON tasks
    FOR EACH ROW WHEN ((OLD.repo_id, OLD.owner_id) IS DISTINCT FROM (NEW.repo_id, NEW.owner_id))
    EXECUTE FUNCTION recount_task();

-- Brings list_counts up to date, and tells how many changes there were. Readers see each change once, before and after. Two
-- at a time would each wait for the other's rows: one is enough, and the other returns at once.
CREATE FUNCTION fold_list_counts() RETURNS bigint LANGUAGE plpgsql AS $$
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

-- Counts everything anew. Nobody can change a list meanwhile. It is for whoever has written past the triggers.
CREATE FUNCTION recount_lists() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    LOCK TABLE runs, jobs, tasks IN SHARE ROW EXCLUSIVE MODE;
    PERFORM pg_advisory_xact_lock(x'666f6c64'::bigint);
    DELETE FROM list_deltas;
    DELETE FROM list_counts;
    INSERT INTO list_deltas (list, repo_id, owner_id, status, event, workflow_file, source_repo_id, block, repo_block, n)
        SELECT 'runs', repo_id, owner_id, status, event, workflow_file, source_repo_id, list_block(id), list_block_of_run(run_number),
            count(*)
        FROM runs GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9;
    INSERT INTO list_deltas (list, repo_id, owner_id, status, block, repo_block, n)
        SELECT 'jobs', repo_id, owner_id, status, list_block(id), list_block_of_repo(id), count(*)
        FROM jobs WHERE NOT is_hidden GROUP BY 1, 2, 3, 4, 5, 6;
    INSERT INTO list_deltas (list, repo_id, owner_id, block, repo_block, n)
        SELECT 'tasks', repo_id, owner_id, 0, list_block_of_repo(id), count(*) FROM tasks GROUP BY 1, 2, 3, 4, 5;
    PERFORM fold_list_counts();
END;
$$;
SELECT recount_lists();
