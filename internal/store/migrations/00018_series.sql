-- What the charts are drawn of, added up over spans of time, at being the beginning of one; times are nanoseconds. Of a probe latency, slowest
-- and its phases are of what was answered, days is for how long its certificate is valid and NULL without one, error the newest failure.
-- Of rules matches are what matched and spent is the share of the time of the transactions that judged it; the rule '' is all of them
-- together: entries read, and the time that asking them took.
-- +goose Up
CREATE TABLE probe_series (
    source     TEXT NOT NULL,
    at         BIGINT NOT NULL,
    probes     BIGINT NOT NULL,
    answered   BIGINT NOT NULL,
    failed     BIGINT NOT NULL,
    blind      BIGINT NOT NULL,
    latency    BIGINT NOT NULL,
    slowest    BIGINT NOT NULL,
    dns        BIGINT NOT NULL,
    connect    BIGINT NOT NULL,
    tls        BIGINT NOT NULL,
    first_byte BIGINT NOT NULL,
    transfer   BIGINT NOT NULL,
    newest     BIGINT NOT NULL,
    status     BIGINT NOT NULL,
    days       BIGINT,
    error      TEXT NOT NULL,
    PRIMARY KEY (source, at)
);
CREATE INDEX probe_series_at ON probe_series (at);

CREATE TABLE rule_series (
    rule    TEXT NOT NULL,
    at      BIGINT NOT NULL,
    matches BIGINT NOT NULL,
    spent   BIGINT NOT NULL,
    PRIMARY KEY (rule, at)
);
CREATE INDEX rule_series_at ON rule_series (at);

-- +goose Down
DROP TABLE rule_series;
DROP TABLE probe_series;
