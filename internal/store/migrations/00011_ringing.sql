-- Posts that ring and wait: how long one of them waits is looked at each second.
-- +goose Up
CREATE INDEX notifications_ringing ON notifications (created_at, id) WHERE kind = 'post' AND rings AND state IN ('pending', 'inflight');

-- +goose Down
DROP INDEX notifications_ringing;
