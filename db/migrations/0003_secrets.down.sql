DROP TRIGGER owners_secrets ON owners;
DROP TRIGGER repositories_secrets ON repositories;
DROP FUNCTION forget_secrets;
DROP TABLE secret_versions, variables, secrets;
-- What was sealed cannot be opened here; levels without an active token make one when it is asked for.
DELETE FROM registration_tokens WHERE token = '';
ALTER TABLE registration_tokens DROP COLUMN sealed, ALTER COLUMN token DROP DEFAULT;
