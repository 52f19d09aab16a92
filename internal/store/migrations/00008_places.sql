-- An alert asks for the incidents of its place, and for those that it is a member of.
-- +goose Up
CREATE INDEX incidents_place ON incidents (project, cluster, state, resolved_at);
CREATE INDEX alerts_member ON alerts (rule, grp);

-- +goose Down
DROP INDEX alerts_member;
DROP INDEX incidents_place;
