package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"tocsin/internal/store"
	"tocsin/internal/store/pgtest"
)

// place is where tocsin keeps its data, and how many processes of it share that.
type place struct {
	replicas int
	path     string
	// server is the PostgreSQL that was started for it; nil with SQLite.
	server *pgtest.Server
	// audit sees what each process changes; nil with SQLite.
	audit *pgtest.Audit
}

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
	p.audit, err = p.server.Audit(ctx, name)
	return p, err
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

// close ends the server, if there is one.
func (p place) close() {
	if p.audit != nil {
		p.audit.Close()
	}
	if p.server != nil {
		p.server.Stop()
	}
}
