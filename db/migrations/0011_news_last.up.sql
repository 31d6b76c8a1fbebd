-- News is what a transaction locks last. A foreign key would have the first news of an attempt lock that as well, after
-- rows that others lock only when they hold the attempt. Whoever deletes attempts deletes their news.
ALTER TABLE news DROP CONSTRAINT news_attempt_id_fkey;
