-- Which incidents a person has split an incident off from; and when a schedule is looked at next for a change of shift: people are those who
-- were on call when it was looked at last, JSON text. Times are nanoseconds since 1970 UTC.
-- +goose Up
ALTER TABLE incidents ADD COLUMN apart TEXT NOT NULL DEFAULT '';

CREATE TABLE shifts (
    schedule TEXT PRIMARY KEY,
    people   TEXT NOT NULL,
    due      BIGINT NOT NULL
);

-- +goose Down
DROP TABLE shifts;
ALTER TABLE incidents DROP COLUMN apart;
