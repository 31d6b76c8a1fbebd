DROP TABLE commit_statuses, dispatch_keys;
