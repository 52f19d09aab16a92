package pgtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Audit is written by a database itself: every row that is changed, by the application_name of the connection that did. So it is seen
// whether a process that should change nothing did, whatever it says itself.
type Audit struct{ db *sql.DB }

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

// Audit begins to audit the tables that a database has.
func (s *Server) Audit(ctx context.Context, database string) (*Audit, error) {
	if err := s.Do(ctx, database, audit); err != nil {
		return nil, err
	}
	db, err := sql.Open("pgx", s.URL(database))
	return &Audit{db}, err
}

// Stale counts the rows that a process has changed since then, up to the transaction in which it began another life of the store. It
// says whether it began one.
func (a *Audit) Stale(ctx context.Context, process string, since time.Time) (n int, anew bool, err error) {
	const own = "FROM audit.writes WHERE process = $1 AND at > $2"
	var next sql.NullInt64
	err1 := a.db.QueryRowContext(ctx, "SELECT min(txid) "+own+" AND tab = 'lives' AND op = 'INSERT'", process, since).Scan(&next)
	err2 := a.db.QueryRowContext(ctx, "SELECT count(*) "+own+" AND ($3::bigint IS NULL OR txid < $3)", process, since, next).Scan(&n)
	if err := errors.Join(err1, err2); err != nil {
		return 0, false, fmt.Errorf("read the audit: %w", err)
	}
	return n, next.Valid, nil
}

// Changes counts all rows that a process has changed.
func (a *Audit) Changes(ctx context.Context, process string) (n int, err error) {
	err = a.db.QueryRowContext(ctx, "SELECT count(*) FROM audit.writes WHERE process = $1", process).Scan(&n)
	return n, err
}

// Close ends the reading; the database goes on writing.
func (a *Audit) Close() { a.db.Close() }
