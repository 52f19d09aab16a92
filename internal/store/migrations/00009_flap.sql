-- Nested values are JSON text, '' for nothing.
-- +goose Up
ALTER TABLE alerts ADD COLUMN flap TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE alerts DROP COLUMN flap;
