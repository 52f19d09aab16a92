-- Troubles of tocsin itself, in the order in which they were committed: ids are taken from troubles_head, whose row a transaction
-- holds until its end, so that no lower id can turn up behind a higher one that was read.
-- +goose Up
CREATE TABLE troubles (
    id       BIGINT PRIMARY KEY,
    at       BIGINT NOT NULL,
    kind     TEXT NOT NULL,
    labels   TEXT NOT NULL,
    severity TEXT NOT NULL,
    text     TEXT NOT NULL,
    over     BOOLEAN NOT NULL,
    -- stands: it is the newest of its kind and labels, and is not over.
    stands   BOOLEAN NOT NULL,
    -- count is how many reports the row stands for, again how many came after it that made no row of their own.
    count    BIGINT NOT NULL,
    again    BIGINT NOT NULL
);
CREATE INDEX troubles_of ON troubles (kind, labels, id);
CREATE INDEX troubles_standing ON troubles (id) WHERE stands;

CREATE TABLE troubles_head (
    id     BIGINT PRIMARY KEY,
    newest BIGINT NOT NULL
);
INSERT INTO troubles_head (id, newest) VALUES (1, 0);

-- +goose Down
DROP TABLE troubles_head;
DROP TABLE troubles;
