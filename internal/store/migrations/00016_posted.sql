-- Alerts that were posted to tocsin, in the order in which they were committed, until a source has read them: ids are taken from
-- posted_head, whose row a transaction holds until its end. posted_ends says when those that fire end by themselves.
-- +goose Up
CREATE TABLE posted (
    id     BIGINT PRIMARY KEY,
    source TEXT NOT NULL,
    at     BIGINT NOT NULL,
    alert  TEXT NOT NULL
);
CREATE INDEX posted_of ON posted (source, id);

CREATE TABLE posted_head (
    id     BIGINT PRIMARY KEY,
    newest BIGINT NOT NULL
);
INSERT INTO posted_head (id, newest) VALUES (1, 0);

CREATE TABLE posted_ends (
    source      TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    ends_at     BIGINT NOT NULL,
    alert       TEXT NOT NULL,
    PRIMARY KEY (source, fingerprint)
);
CREATE INDEX posted_ends_at ON posted_ends (source, ends_at);

-- +goose Down
DROP TABLE posted_ends;
DROP TABLE posted_head;
DROP TABLE posted;
