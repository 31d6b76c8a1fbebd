LOCK TABLE attempts, news IN ACCESS EXCLUSIVE MODE;
DROP TRIGGER attempts_news ON attempts;
DROP FUNCTION forget_news;
DELETE FROM news n WHERE NOT EXISTS (SELECT 1 FROM attempts a WHERE a.id = n.attempt_id);
ALTER TABLE news ADD CONSTRAINT news_attempt_id_fkey FOREIGN KEY (attempt_id) REFERENCES attempts ON DELETE CASCADE;
