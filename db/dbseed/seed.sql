-- Each part begins with a line that says what it makes, and is one statement or more. The setting seed.runs is the number of
-- runs. Everything is drawn by pg_temp.draw, so that the same number gives the same rows.

-- part: draws
CREATE FUNCTION pg_temp.draw(n bigint, what bigint) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (hashint8extended(n, what) & 9007199254740991) / 9007199254740992.0
$$;
-- One of few words, by its share.
CREATE FUNCTION pg_temp.pick(d double precision, words text[], upto double precision[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT words[width_bucket(d, upto) + 1]
$$;

-- part: owners
CREATE TEMP TABLE seed_users AS
WITH made AS (
    INSERT INTO owners (kind, login, lower_login, full_name, email)
    SELECT 'user', 'seed-user-' || n, 'seed-user-' || n, 'User ' || n, 'seed-user-' || n || '@localhost.localdomain'
    FROM generate_series(1, 200) AS n ORDER BY n RETURNING id
)
SELECT row_number() OVER (ORDER BY id) - 1 AS n, id FROM made;
CREATE TEMP TABLE seed_owners AS
WITH made AS (
    INSERT INTO owners (kind, login, lower_login, full_name)
    SELECT 'organization', 'seed-org-' || n, 'seed-org-' || n, 'Organization ' || n
    FROM generate_series(1, 20) AS n ORDER BY n RETURNING id
)
SELECT row_number() OVER (ORDER BY id) - 1 AS n, id FROM made;
INSERT INTO org_members (org_id, user_id, role)
    SELECT o.id, u.id, CASE WHEN u.n = o.n THEN 'owner' ELSE 'member' END FROM seed_owners o JOIN seed_users u ON u.n % 20 = o.n;
-- Of every ten repositories seven belong to an organization.
INSERT INTO seed_owners SELECT 20 + n, id FROM seed_users;

-- part: repositories
CREATE TEMP TABLE seed_repos AS
WITH made AS (
    INSERT INTO repositories (owner_id, name, lower_name, is_private)
    SELECT o.id, 'repo-' || r.n, 'repo-' || r.n, r.n % 5 = 4
    FROM (
        SELECT n, CASE WHEN n % 10 < 7 THEN n % 20 ELSE 20 + n % 200 END AS owner FROM generate_series(0, 1999) AS n
    ) AS r JOIN seed_owners o ON o.n = r.owner ORDER BY r.n RETURNING id, owner_id
)
SELECT row_number() OVER (ORDER BY id) - 1 AS n, id, owner_id FROM made;
CREATE UNIQUE INDEX ON seed_repos (n);
INSERT INTO runners (uuid, token_hash, name, labels, last_online_at)
    SELECT md5('runner ' || n)::uuid, decode(md5('runner token ' || n), 'hex'), 'seed-runner-' || n, '{linux}', now()
    FROM generate_series(1, 100) AS n;
CREATE TEMP TABLE seed_runners AS SELECT row_number() OVER (ORDER BY id) - 1 AS n, id FROM runners WHERE name LIKE 'seed-runner-%';
INSERT INTO label_sets (labels) VALUES ('{linux}') ON CONFLICT DO NOTHING;

-- part: runs
-- Few repositories have most of the runs: the first one of five. A run has one to nine jobs, five on average. The latest
-- three in ten thousand have not ended. A million is what came in 69 days: their logs are still kept.
CREATE TEMP TABLE seed_runs AS
SELECT g.n, r.id AS repo_id, r.owner_id, row_number() OVER (PARTITION BY r.id ORDER BY g.n) AS run_number, g.event, g.jobs,
    CASE
        WHEN g.event = 'schedule' THEN 'nightly.yml'
        WHEN g.event = 'workflow_dispatch' THEN pg_temp.pick(pg_temp.draw(g.n, 4), '{release.yml,deploy.yml}', '{0.5}')
        ELSE pg_temp.pick(pg_temp.draw(g.n, 4), '{ci.yml,lint.yml,docs.yml,bench.yml}', '{0.55,0.85,0.97}')
    END AS workflow_file,
    CASE
        WHEN g.event = 'pull_request' THEN 'refs/pull/' || g.n / 40 % 5000 || '/head'
        WHEN g.event = 'push' AND pg_temp.draw(g.n, 5) > 0.5 THEN 'refs/heads/topic-' || (pg_temp.draw(g.n, 6) * 300)::int
        ELSE 'refs/heads/main'
    END AS ref,
    md5(r.id || ' ' || g.n / 20) || '00000000' AS sha,
    CASE WHEN g.event = 'schedule' THEN -2 ELSE u.id END AS actor_id,
    CASE
        WHEN g.n > g.total - greatest(24, g.total * 0.0003) THEN pg_temp.pick(pg_temp.draw(g.n, 7), '{waiting,blocked,running,cancelling}', '{0.4,0.5,0.98}')
        ELSE pg_temp.pick(pg_temp.draw(g.n, 7), '{success,failure,cancelled,skipped}', '{0.74,0.93,0.98}')
    END AS status,
    CASE WHEN pg_temp.draw(g.n, 8) < 0.05 THEN 2 ELSE 1 END AS attempt,
    date_trunc('second', now()) - (g.total - g.n) * interval '6 seconds' AS at,
    sum(g.jobs) OVER (ORDER BY g.n) AS last_job
FROM (
    SELECT n, total, 1 + n * 7 % 9 AS jobs, floor(2000 * power(pg_temp.draw(n, 1), 5)) AS repo,
        floor(200 * power(pg_temp.draw(n, 2), 3)) AS actor,
        pg_temp.pick(pg_temp.draw(n, 3), '{push,pull_request,schedule,workflow_dispatch}', '{0.55,0.8,0.9}') AS event
    FROM (SELECT current_setting('seed.runs')::bigint AS total) AS s, generate_series(1, s.total) AS n
) AS g JOIN seed_repos r ON r.n = g.repo JOIN seed_users u ON u.n = g.actor;
ANALYZE seed_runs;
INSERT INTO runs (id, repo_id, owner_id, run_number, workflow_file, workflow_path, workflow_name, title, event, ref, sha, actor_id,
        status, attempt, created_at, updated_at, started_at, stopped_at)
    SELECT n, repo_id, owner_id, run_number, workflow_file, '.gitea/workflows/' || workflow_file, split_part(workflow_file, '.', 1),
        'Change ' || n / 3, event, ref, sha, actor_id, status, attempt, at, at + interval '2 minutes',
        CASE WHEN status NOT IN ('waiting', 'blocked') THEN at + interval '1 second' END,
        CASE WHEN status IN ('success', 'failure', 'cancelled', 'skipped') THEN at + interval '2 minutes' END
    FROM seed_runs ORDER BY n;
UPDATE repositories SET run_counter = c.most FROM (SELECT repo_id, max(run_number) AS most FROM seed_runs GROUP BY repo_id) AS c
    WHERE c.repo_id = repositories.id;

-- part: attempts
-- The first attempt of run n is attempt 2n-1, its second 2n.
INSERT INTO attempts (id, run_id, number, trigger_user_id, status, created_at, started_at, stopped_at, workflow_seen_at)
    SELECT 2 * n - 2 + a.number, n, a.number, actor_id, CASE WHEN a.number < attempt THEN 'failure' ELSE status END, at, at,
        CASE WHEN a.number < attempt OR status IN ('success', 'failure', 'cancelled', 'skipped') THEN at + interval '2 minutes' END, at
    FROM seed_runs CROSS JOIN LATERAL generate_series(1, attempt) AS a (number) ORDER BY n, a.number;

-- part: jobs
-- The jobs of a run that has two attempts are shared between them.
INSERT INTO jobs (id, run_id, attempt_id, attempt, repo_id, owner_id, cell, key, name, runs_on, label_set_id, timeout_minutes,
        step_names, payload, status, task_id, created_at, updated_at, started_at, stopped_at)
    SELECT j.id, n, 2 * n - 2 + number, number, repo_id, owner_id, cell, 'job-' || cell, 'job-' || cell, '{linux}',
        (SELECT s.id FROM label_sets s WHERE labels = '{linux}'), 360, '{build,test}', 'jobs: {}', status,
        CASE WHEN status NOT IN ('waiting', 'blocked', 'skipped') THEN j.id END, at, at + interval '1 minute',
        CASE WHEN status NOT IN ('waiting', 'blocked', 'skipped') THEN at + interval '2 seconds' END,
        CASE WHEN status IN ('success', 'failure', 'cancelled', 'skipped') THEN at + interval '1 minute' END
    FROM (
        SELECT r.n, r.repo_id, r.owner_id, r.at, c.cell, r.last_job - r.jobs + c.cell + 1 AS id,
            CASE WHEN r.attempt = 2 AND c.cell >= r.jobs / 2 THEN 2 ELSE 1 END AS number,
            CASE
                WHEN r.attempt = 2 AND c.cell < r.jobs / 2 THEN 'failure'
                WHEN r.status = 'failure' AND c.cell = 0 THEN 'failure'
                WHEN r.status = 'failure' THEN pg_temp.pick(pg_temp.draw(r.n * 9 + c.cell, 9), '{success,skipped}', '{0.7}')
                WHEN r.status = 'running' THEN pg_temp.pick(pg_temp.draw(r.n * 9 + c.cell, 9), '{running,success,blocked}', '{0.4,0.7}')
                ELSE r.status
            END AS status
        FROM seed_runs r CROSS JOIN LATERAL generate_series(0, r.jobs - 1) AS c (cell)
    ) AS j ORDER BY j.id;

-- part: offers
-- Only those that are open: nobody asks for the others again.
INSERT INTO offers (job_id, try, run_id, attempt_id, repo_id, owner_id, label_set_id, state)
    SELECT id, 1, run_id, attempt_id, repo_id, owner_id, label_set_id, 'queued' FROM jobs WHERE status = 'waiting' ORDER BY id;

-- part: tasks
-- Every job that a runner had has one task, which has the same id.
INSERT INTO tasks (id, offer_id, job_id, try, run_id, attempt_id, repo_id, owner_id, runner_id, token_hash, status, steps, attached,
        claimed_at, confirmed_at, heartbeat_at, started_at, stopped_at, delivered_at)
    SELECT j.id, -j.id, j.id, 1, j.run_id, j.attempt_id, j.repo_id, j.owner_id, r.id, decode(md5('task ' || j.id), 'hex'), j.status,
        jsonb_build_array(
            jsonb_build_object('index', 0, 'status', 'success', 'started_at', j.started_at, 'log_index', 0, 'log_length', 7),
            jsonb_build_object('index', 1, 'status', j.status, 'started_at', j.started_at, 'log_index', 7, 'log_length', 9)
        ), true, j.started_at, j.started_at, j.updated_at, j.started_at, j.stopped_at, j.stopped_at
    FROM jobs j JOIN seed_runners r ON r.n = j.id % 100 WHERE j.task_id IS NOT NULL ORDER BY j.id;

-- part: sequences
SELECT setval(pg_get_serial_sequence('runs', 'id'), (SELECT max(id) FROM runs)),
    setval(pg_get_serial_sequence('attempts', 'id'), (SELECT max(id) FROM attempts)),
    setval(pg_get_serial_sequence('jobs', 'id'), (SELECT max(id) FROM jobs)),
    setval(pg_get_serial_sequence('tasks', 'id'), (SELECT max(id) FROM tasks));
