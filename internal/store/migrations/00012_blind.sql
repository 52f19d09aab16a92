-- When a source could not see: what goes on is looked at by every step of the watch, the newest are listed on the pages.
-- +goose Up
CREATE INDEX blind_spans_open ON blind_spans (source, since_at) WHERE until_at IS NULL;
CREATE INDEX blind_spans_newest ON blind_spans (since_at, source);

-- +goose Down
DROP INDEX blind_spans_newest;
DROP INDEX blind_spans_open;
