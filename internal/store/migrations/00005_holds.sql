-- +goose Up
-- What is to be kept of a provider's account, of what its requests are counted by, and of a receiver, by name.
CREATE TABLE holds (
    name          TEXT PRIMARY KEY,
    since         BIGINT,
    until         BIGINT,
    why           TEXT NOT NULL,
    spent         BIGINT,
    failing_since BIGINT,
    refused_since BIGINT,
    storm         TEXT NOT NULL
);

-- The incidents whose pages a storm's page stands for; round is the storm's page that names them first.
CREATE TABLE storms (
    storm        TEXT NOT NULL,
    incident     TEXT NOT NULL,
    notification BIGINT NOT NULL,
    round        BIGINT NOT NULL,
    PRIMARY KEY (storm, incident)
);

-- +goose Down
DROP TABLE storms;
DROP TABLE holds;
