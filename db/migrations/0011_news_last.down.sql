DELETE FROM news WHERE attempt_id NOT IN (SELECT id FROM attempts);
ALTER TABLE news ADD CONSTRAINT news_attempt_id_fkey FOREIGN KEY (attempt_id) REFERENCES attempts ON DELETE CASCADE;
