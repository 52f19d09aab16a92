package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// compatibleFrom is the fact that says which version of the schema a tocsin must know at least to run on the database, whatever later
// version it has. Migrations only add, so that the tocsin before still runs; one that cannot be so raises it to its own number.
const compatibleFrom = "schema.compatible_from"

// provider runs the migrations in files, nil for our own, as schema makes of them, on a database.
func provider(name goose.Dialect, schema func(sql string) string, db *sql.DB, files fs.FS) (*goose.Provider, error) {
	if files == nil {
		var err error
		if files, err = fs.Sub(migrations, "migrations"); err != nil {
			return nil, err
		}
	}
	if schema != nil {
		files = schemaFiles{files, schema}
	}
	p, err := goose.NewProvider(name, db, files,
		goose.WithLogger(goose.NopLogger()), goose.WithDisableGlobalRegistry(true), goose.WithAllowOutofOrder(true))
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return p, nil
}

// migrate brings the schema to this version's, and leaves a later one that this version can run on as it is. What a file holds is
// copied beside it before it is changed.
func (s *Store) migrate(ctx context.Context) error {
	db := s.writeDB
	if s.place.empty && s.place.files == nil && s.dialect.fill != nil {
		return s.dialect.fill(ctx, db)
	}
	if s.dialect.alone != nil {
		var done func()
		var err error
		if db, done, err = s.dialect.alone(ctx, s.place); err != nil {
			return err
		}
		defer done()
	}
	p, err := provider(s.dialect.migrations, s.dialect.schema, db, s.place.files)
	if err != nil {
		return err
	}
	have, known, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	pending, err := p.HasPending(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("read schema version: %w", err)
	case have > known:
		return suits(ctx, db, have, known, pending)
	case !pending:
		return nil
	}
	if have > 0 && s.inFile() {
		if err := keepBefore(ctx, db, s.place.path, have); err != nil {
			return fmt.Errorf("copy the database before its schema is changed from version %d to %d: %w: make room, or take a copy yourself and move "+
				"the database to where there is room", have, known, err)
		}
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("bring schema from version %d to %d: %w", have, known, err)
	}
	return nil
}

// suits says why a tocsin that knows a schema up to one version cannot run on a later one; nil if it can. lacks says that a change is
// missing in it that this tocsin relies on.
func suits(ctx context.Context, db *sql.DB, have, known int64, lacks bool) error {
	from, err := factNumber(ctx, db, compatibleFrom)
	if err != nil {
		return fmt.Errorf("read which versions the schema is for: %w", err)
	}
	if from > 0 && from <= known && !lacks {
		return nil
	}
	return fmt.Errorf("it was written by a later tocsin (its schema is version %d, this one knows up to %d and cannot use it): "+
		"run the version that wrote it or a later one, or restore a backup from before (`tocsin restore`), or give another --store", have, known)
}

// factNumber is a fact that holds a number; 0 where there is none.
func factNumber(ctx context.Context, db *sql.DB, name string) (n int64, err error) {
	var text string
	err = db.QueryRowContext(ctx, "SELECT value FROM facts WHERE name = $1", name).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err == nil {
		_, err = fmt.Sscan(text, &n)
	}
	return n, err
}

// keptBefore is how many copies are kept that were made before the schema was changed.
const keptBefore = 3

// beforeName is the copy of a database with a schema of that version.
func beforeName(path string, version int64) string {
	return fmt.Sprintf("%s.schema-%d.backup", path, version)
}

// keepBefore copies a database beside itself, in place of an older copy with the same schema, and deletes all but the newest copies.
func keepBefore(ctx context.Context, db *sql.DB, path string, version int64) error {
	if _, err := copyInto(ctx, db, beforeName(path, version), true); err != nil {
		return err
	}
	type file struct {
		name string
		at   int64
	}
	var have []file
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return err
	}
	for _, e := range entries {
		ours := strings.HasPrefix(e.Name(), filepath.Base(path)+".schema-") && strings.HasSuffix(e.Name(), ".backup")
		if info, err := e.Info(); ours && err == nil {
			have = append(have, file{filepath.Join(filepath.Dir(path), e.Name()), info.ModTime().UnixNano()})
		}
	}
	slices.SortFunc(have, func(a, b file) int { return int(min(max(b.at-a.at, -1), 1)) })
	for _, f := range have[min(len(have), keptBefore):] {
		if err := os.Remove(f.name); err != nil {
			return err
		}
	}
	return nil
}

// newest is the version of the schema that this tocsin makes.
func newest() (int64, error) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil || len(names) == 0 {
		return 0, errors.Join(err, errors.New("no migrations"))
	}
	return goose.NumericComponent(names[len(names)-1])
}
