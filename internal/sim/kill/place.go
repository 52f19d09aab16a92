package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"tocsin/internal/store"
	"tocsin/internal/store/pgtest"
)

// place is where tocsin keeps its data, and how many processes of it share that.
type place struct {
	replicas int
	path     string
	// server is the PostgreSQL that was started for it; nil with SQLite.
	server *pgtest.Server
	db     *sql.DB
}

// audit has the database write down every row that is changed, by the name that the process gave to its connections: so it is seen
// whether a process that should change nothing did, whatever it says itself.
const audit = `CREATE SCHEMA audit;
CREATE TABLE audit.writes (at timestamptz NOT NULL, process text NOT NULL, txid bigint NOT NULL, tab text NOT NULL, op text NOT NULL);
CREATE FUNCTION audit.write() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO audit.writes VALUES (clock_timestamp(), current_setting('application_name'), txid_current(), TG_TABLE_NAME, TG_OP);
  RETURN NULL;
END $$;
DO $$ DECLARE t text; BEGIN
  FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
    EXECUTE format('CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION audit.write()', t);
  END LOOP;
END $$`

// newPlace makes the store of that kind, sqlite or postgres: then a server is started, and the rows that are written are audited.
func newPlace(ctx context.Context, dir, kind string) (p place, err error) {
	if kind == "sqlite" {
		return place{replicas: 1, path: filepath.Join(dir, "tocsin.db")}, nil
	}
	if kind != "postgres" {
		return p, fmt.Errorf("a store %q is not known: sqlite or postgres", kind)
	}
	p.replicas = 2
	if p.server, err = pgtest.Start(); err != nil {
		return p, err
	}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	name, err := p.server.Create(ctx)
	if err != nil {
		return p, err
	}
	p.path = p.server.URL(name)
	s, err := store.Open(ctx, p.path, store.Options{Life: time.Second}) // it makes the tables
	if err != nil {
		return p, err
	}
	if err := s.Close(); err != nil {
		return p, err
	}
	if p.db, err = sql.Open("pgx", p.path); err != nil {
		return p, err
	}
	return p, p.server.Do(ctx, name, audit)
}

// of is what a process in a slot is given as its store.
func (p place) of(slot int) string {
	if p.server == nil {
		return p.path
	}
	return p.path + "&application_name=" + process(slot)
}

// process is what a slot's connections are named.
func process(slot int) string { return fmt.Sprintf("replica-%d", slot) }

// writes counts the rows that the process in a slot has changed since then, up to the transaction in which it began another life. It
// says whether it began one.
func (p place) writes(ctx context.Context, slot int, since time.Time) (n int, anew bool, err error) {
	const own = "FROM audit.writes WHERE process = $1 AND at > $2"
	var next sql.NullInt64
	err1 := p.db.QueryRowContext(ctx, "SELECT min(txid) "+own+" AND tab = 'lives' AND op = 'INSERT'", process(slot), since).Scan(&next)
	err2 := p.db.QueryRowContext(ctx, "SELECT count(*) "+own+" AND ($3::bigint IS NULL OR txid < $3)", process(slot), since, next).Scan(&n)
	return n, next.Valid, errors.Join(err1, err2)
}

// changed counts all rows that were changed by the process in a slot: that the audit sees them.
func (p place) changed(ctx context.Context, slot int) (n int, err error) {
	err = p.db.QueryRowContext(ctx, "SELECT count(*) FROM audit.writes WHERE process = $1", process(slot)).Scan(&n)
	return n, err
}

// close ends the server, if there is one.
func (p place) close() {
	if p.db != nil {
		_ = p.db.Close() // nothing of it is written any more
	}
	if p.server != nil {
		p.server.Stop()
	}
}
