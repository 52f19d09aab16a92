-- Each time that an alert fired, of rules in mode shadow too: by it is judged whether a rule may tell, or page.
-- +goose Up
CREATE TABLE firings (
    rule     TEXT NOT NULL,
    at       BIGINT NOT NULL,
    grp      TEXT NOT NULL,
    mode     TEXT NOT NULL,
    incident TEXT NOT NULL,
    PRIMARY KEY (rule, at, grp)
);
CREATE INDEX firings_at ON firings (at);

-- +goose Down
DROP TABLE firings;
