-- What processes that read one source side by side hand to the one that leads, in the order in which they did, and how far each of them is:
-- times are nanoseconds since 1970 UTC, said_at by the database's clock. Of the entries that were read lines are those that a rule asks for;
-- sifted were left out, broken of them, and passed had come before.
-- +goose Up
CREATE TABLE handed (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    source  TEXT NOT NULL,
    lines   BLOB,
    sifted  BIGINT NOT NULL,
    broken  BIGINT NOT NULL,
    passed  BIGINT NOT NULL,
    backlog BOOLEAN NOT NULL
);
CREATE INDEX handed_source ON handed (source, id);

CREATE TABLE readings (
    source    TEXT NOT NULL,
    epoch     BIGINT NOT NULL,
    clock     BIGINT,
    caught_up BOOLEAN NOT NULL,
    why       TEXT NOT NULL,
    said_at   BIGINT NOT NULL,
    PRIMARY KEY (source, epoch)
);

-- +goose Down
DROP TABLE readings;
DROP TABLE handed;
