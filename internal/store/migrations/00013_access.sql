-- Who did what, each line with the hash of the one before; and who is signed in, by the hash of what their browser holds.
-- +goose Up
CREATE TABLE trail (
    id     BIGINT PRIMARY KEY,
    at     BIGINT NOT NULL,
    who    TEXT NOT NULL,
    way    TEXT NOT NULL,
    deed   TEXT NOT NULL,
    about  TEXT NOT NULL,
    detail TEXT NOT NULL,
    hash   TEXT NOT NULL
);

CREATE TABLE sessions (
    id      TEXT PRIMARY KEY,
    name    TEXT NOT NULL,
    groups_ TEXT NOT NULL,
    ends_at BIGINT NOT NULL
);
CREATE INDEX sessions_ends ON sessions (ends_at);

-- +goose Down
DROP TABLE sessions;
DROP TABLE trail;
