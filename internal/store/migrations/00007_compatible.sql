-- Which version of the schema a tocsin must know at least to run on this database, whatever later version it has. A later migration
-- that the tocsin before cannot live with sets it to its own number: UPDATE facts SET value = '12' WHERE name = 'schema.compatible_from'.
-- +goose Up
INSERT INTO facts (name, value) VALUES ('schema.compatible_from', '8');

-- What is over, by when: it is forgotten some day.
CREATE INDEX incidents_over ON incidents (resolved_at, id) WHERE state IN ('resolved', 'merged');
CREATE INDEX storms_incident ON storms (incident);

-- +goose Down
DROP INDEX storms_incident;
DROP INDEX incidents_over;
DELETE FROM facts WHERE name = 'schema.compatible_from';
