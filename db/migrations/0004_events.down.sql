DROP TABLE hook_deliveries, hooks, event_readers;
DROP TRIGGER jobs_noted ON jobs;
DROP TRIGGER jobs_status_noted ON jobs;
DROP TRIGGER runs_noted ON runs;
DROP TRIGGER runs_status_noted ON runs;
DROP FUNCTION note_new_jobs(), note_job(), note_run();
DROP TABLE status_events;
