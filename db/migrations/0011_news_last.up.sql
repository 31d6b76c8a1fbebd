-- News is what a transaction locks last. A foreign key would have the first news of an attempt lock that as well, after
-- rows that others lock only when they hold the attempt. A trigger forgets the news of attempts that are deleted.
LOCK TABLE attempts, news IN ACCESS EXCLUSIVE MODE;
ALTER TABLE news DROP CONSTRAINT news_attempt_id_fkey;
CREATE FUNCTION forget_news() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM news WHERE attempt_id = OLD.id;
    RETURN NULL;
END;
$$;
CREATE TRIGGER attempts_news AFTER DELETE ON attempts FOR EACH ROW EXECUTE FUNCTION forget_news();
