-- Times are nanoseconds since 1970 UTC, NULL for none. Nested values are JSON text, '' for nothing.
-- +goose Up
-- Says that the file is ours: "tocs".
PRAGMA application_id = 1953457011;

CREATE TABLE store (
    id      BIGINT PRIMARY KEY,
    epoch   BIGINT NOT NULL,
    born_at BIGINT NOT NULL
);

CREATE TABLE facts (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE sources (
    name        TEXT PRIMARY KEY,
    position    TEXT NOT NULL,
    clock       BIGINT,
    caught_up   BOOLEAN NOT NULL,
    blind       BOOLEAN NOT NULL,
    received_at BIGINT,
    entries     BIGINT NOT NULL,
    matches     BIGINT NOT NULL,
    broken      BIGINT NOT NULL,
    late        BIGINT NOT NULL
);

CREATE TABLE states (
    rule   TEXT NOT NULL,
    grp    TEXT NOT NULL,
    hash   TEXT NOT NULL,
    body   BLOB,
    due    BIGINT,
    firing BOOLEAN NOT NULL,
    PRIMARY KEY (rule, grp)
);
CREATE INDEX states_due ON states (due, rule, grp) WHERE due IS NOT NULL;

CREATE TABLE incidents (
    id              TEXT PRIMARY KEY,
    project         TEXT NOT NULL,
    cluster         TEXT NOT NULL,
    state           TEXT NOT NULL,
    severity        TEXT NOT NULL,
    title           TEXT NOT NULL,
    headline_rule   TEXT NOT NULL,
    headline_grp    TEXT NOT NULL,
    labels          TEXT NOT NULL,
    first_entry     BIGINT,
    opened_at       BIGINT,
    updated_at      BIGINT,
    revision        BIGINT NOT NULL,
    acknowledgement TEXT NOT NULL,
    resolved_at     BIGINT,
    resolved_by     TEXT NOT NULL,
    held_until      BIGINT,
    merged_into     TEXT NOT NULL,
    receivers       TEXT NOT NULL,
    policy          TEXT NOT NULL,
    round           BIGINT NOT NULL,
    escalation      TEXT NOT NULL,
    due             BIGINT,
    paged_severity  TEXT NOT NULL,
    told            BIGINT NOT NULL
);
CREATE INDEX incidents_project ON incidents (project, state, resolved_at);
CREATE INDEX incidents_newest ON incidents (opened_at, id);
CREATE INDEX incidents_state ON incidents (state, opened_at, id);
CREATE INDEX incidents_due ON incidents (due, id) WHERE due IS NOT NULL;

-- An alert of mode shadow belongs to no incident: its incident is ''.
CREATE TABLE alerts (
    incident    TEXT NOT NULL,
    rule        TEXT NOT NULL,
    grp         TEXT NOT NULL,
    state       TEXT NOT NULL,
    labels      TEXT NOT NULL,
    annotations TEXT NOT NULL,
    severity    TEXT NOT NULL,
    mode        TEXT NOT NULL,
    impact      TEXT NOT NULL,
    symptom_of  TEXT NOT NULL,
    first       BIGINT,
    last        BIGINT,
    identity    TEXT NOT NULL,
    fired_at    BIGINT,
    resolved_at BIGINT,
    count       BIGINT NOT NULL,
    about       BOOLEAN NOT NULL,
    first_line  TEXT NOT NULL,
    lines       TEXT NOT NULL,
    list        TEXT NOT NULL,
    orphaned    BOOLEAN NOT NULL,
    PRIMARY KEY (incident, rule, grp)
);
CREATE INDEX alerts_firing ON alerts (rule, grp) WHERE state = 'firing';

CREATE TABLE events (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    incident   TEXT NOT NULL REFERENCES incidents (id) DEFERRABLE INITIALLY DEFERRED,
    at         BIGINT,
    kind       TEXT NOT NULL,
    text       TEXT NOT NULL,
    actor      TEXT NOT NULL,
    alert_rule TEXT NOT NULL,
    alert_grp  TEXT NOT NULL,
    lines      TEXT NOT NULL
);
CREATE INDEX events_incident ON events (incident, id);

CREATE TABLE notifications (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    incident      TEXT NOT NULL REFERENCES incidents (id) DEFERRABLE INITIALLY DEFERRED,
    target        TEXT NOT NULL,
    kind          TEXT NOT NULL,
    round         BIGINT NOT NULL,
    key           TEXT NOT NULL,
    reason        TEXT NOT NULL,
    event         BIGINT NOT NULL,
    text          TEXT NOT NULL,
    mention       TEXT NOT NULL,
    rings         BOOLEAN NOT NULL,
    wanted        BIGINT NOT NULL,
    sent_revision BIGINT NOT NULL,
    state         TEXT NOT NULL,
    cause         TEXT NOT NULL,
    created_at    BIGINT,
    due           BIGINT NOT NULL,
    epoch         BIGINT NOT NULL,
    deadline      BIGINT,
    attempts      BIGINT NOT NULL,
    unclear       BOOLEAN NOT NULL,
    refused_at    BIGINT,
    sent_at       BIGINT,
    receipt       TEXT NOT NULL,
    last_error    TEXT NOT NULL,
    UNIQUE (incident, round, kind, target, event, key)
);
CREATE INDEX notifications_due ON notifications (due, id) WHERE state = 'pending';
CREATE INDEX notifications_target ON notifications (target, due, id) WHERE state = 'pending';
CREATE INDEX notifications_inflight ON notifications (target, id) WHERE state = 'inflight';
CREATE INDEX notifications_calls ON notifications (created_at, id) WHERE kind = 'call' AND state IN ('pending', 'inflight');
CREATE INDEX notifications_state ON notifications (state);

-- +goose Down
DROP TABLE notifications;
DROP TABLE events;
DROP TABLE alerts;
DROP TABLE incidents;
DROP TABLE states;
DROP TABLE sources;
DROP TABLE facts;
DROP TABLE store;
