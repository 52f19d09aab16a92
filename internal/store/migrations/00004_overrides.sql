-- Who is on call in place of whom a schedule names; of two that overlap the later made decides.
-- +goose Up
CREATE TABLE overrides (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    schedule TEXT NOT NULL,
    person   TEXT NOT NULL,
    from_at  BIGINT NOT NULL,
    to_at    BIGINT NOT NULL,
    made_by  TEXT NOT NULL,
    reason   TEXT NOT NULL,
    made_at  BIGINT NOT NULL
);
CREATE INDEX overrides_to ON overrides (schedule, to_at);

-- +goose Down
DROP TABLE overrides;
