-- What people said elsewhere and was done, by the name of what was delivered: the same delivered again does nothing. at is nanoseconds since
-- 1970 UTC.
-- +goose Up
CREATE TABLE heard (
    id TEXT PRIMARY KEY,
    at BIGINT NOT NULL
);
CREATE INDEX heard_at ON heard (at);
CREATE INDEX notifications_receipt ON notifications (receipt) WHERE kind = 'message' AND receipt <> '';

-- +goose Down
DROP INDEX notifications_receipt;
DROP TABLE heard;
