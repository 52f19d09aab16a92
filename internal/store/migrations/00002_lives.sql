-- Where several processes may have the database open, each is a life. Times are nanoseconds since 1970 UTC by the database's clock.
-- +goose Up
-- A life that has expired writes nothing any more; what it had in flight is settled by others.
CREATE TABLE lives (
    epoch      BIGINT PRIMARY KEY,
    name       TEXT NOT NULL,
    began_at   BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

-- How many transactions a life has committed: it tells whether a commit took place whose answer was lost, and whether the database
-- has gone back behind one that did.
CREATE TABLE commits (
    epoch BIGINT PRIMARY KEY,
    count BIGINT NOT NULL
);

-- What one life at a time does. A lease is held as long as its life lasts.
CREATE TABLE leases (
    name     TEXT PRIMARY KEY,
    epoch    BIGINT NOT NULL,
    taken_at BIGINT NOT NULL
);

-- +goose Down
DROP TABLE leases;
DROP TABLE commits;
DROP TABLE lives;
