-- Who did what, and who was refused. Rows hold names as they were then and refer to nothing, so that they outlive what they
-- are about.
CREATE TABLE audit_log (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at              timestamptz NOT NULL DEFAULT now(),
    actor_id        bigint NOT NULL DEFAULT 0,                 -- 0: nobody whom we know
    actor           text NOT NULL DEFAULT '',
    acting_as       text NOT NULL DEFAULT '',                  -- whom a site admin acted as
    credential      text NOT NULL,                             -- the kind
    credential_id   bigint NOT NULL DEFAULT 0,                 -- of the access token or task
    credential_name text NOT NULL DEFAULT '',
    action          text NOT NULL,
    owner_id        bigint NOT NULL DEFAULT 0,
    owner           text NOT NULL DEFAULT '',
    repo_id         bigint NOT NULL DEFAULT 0,
    repo            text NOT NULL DEFAULT '',                  -- owner/name
    target          jsonb NOT NULL DEFAULT '{}',
    address         text NOT NULL DEFAULT '',
    user_agent      text NOT NULL DEFAULT '',
    request_id      text NOT NULL DEFAULT '',
    result          text NOT NULL CHECK (result IN ('ok', 'refused', 'failed')),
    status          integer NOT NULL DEFAULT 0,                -- of HTTP; 0 where there is none
    error           text NOT NULL DEFAULT ''
);
CREATE INDEX audit_log_at ON audit_log (at, id);
CREATE INDEX audit_log_actor ON audit_log (lower(actor), at, id);
CREATE INDEX audit_log_action ON audit_log (action, at, id);
CREATE INDEX audit_log_owner ON audit_log (lower(owner), at, id) WHERE owner <> '';
CREATE INDEX audit_log_repo ON audit_log (lower(repo), at, id) WHERE repo <> '';
CREATE INDEX audit_log_result ON audit_log (result, at, id) WHERE result <> 'ok';

-- Nobody changes it, and only the sweep, which says so in its transaction, forgets what is old.
CREATE FUNCTION audit_log_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('pawl.audit_sweep', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_append_only();
