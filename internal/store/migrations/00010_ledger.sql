-- The ledger of a source: backlog are entries of a time that was not watched as it happened, passed came beside and were left out, and
-- blind_spans are when it could not see; until_at is NULL while it cannot.
-- +goose Up
ALTER TABLE sources ADD COLUMN backlog BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sources ADD COLUMN passed BIGINT NOT NULL DEFAULT 0;

CREATE TABLE blind_spans (
    source   TEXT NOT NULL,
    since_at BIGINT NOT NULL,
    until_at BIGINT,
    why      TEXT NOT NULL,
    PRIMARY KEY (source, since_at)
);

-- +goose Down
DROP TABLE blind_spans;
ALTER TABLE sources DROP COLUMN passed;
ALTER TABLE sources DROP COLUMN backlog;
