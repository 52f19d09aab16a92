-- Times are nanoseconds since 1970 UTC, NULL for none. Nested values are JSON text, '' for nothing.
-- +goose Up
CREATE TABLE silences (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    matchers   TEXT NOT NULL,
    starts     BIGINT NOT NULL,
    ends       BIGINT NOT NULL,
    owner      TEXT NOT NULL,
    reason     TEXT NOT NULL,
    up_to      TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    ended_by   TEXT NOT NULL,
    warned_at  BIGINT,
    due        BIGINT
);
CREATE INDEX silences_ends ON silences (ends, id);
CREATE INDEX silences_due ON silences (due, id) WHERE due IS NOT NULL;

ALTER TABLE incidents ADD COLUMN holds TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE incidents DROP COLUMN holds;
DROP TABLE silences;
