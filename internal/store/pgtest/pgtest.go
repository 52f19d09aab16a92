// Package pgtest gives tests a PostgreSQL of their own: a server that lives as long as the test binary, in a directory of its own, and
// an empty database for whoever asks. Only tests import it, and the proofs of internal/sim.
//
// A package whose tests use it has
//
//	func TestMain(m *testing.M) { pgtest.Main(m) }
package pgtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// Server is a running PostgreSQL. Everybody on this machine may enter it: it is for tests.
type Server struct {
	// Address is where it listens, host:port.
	Address string
	dir     string
	stdin   io.WriteCloser
	ended   chan struct{}
	made    atomic.Int64
}

// own is the server of this test binary, started when it is first asked for, with the database that Filled copies.
var own = struct {
	sync.Mutex
	server *Server
	err    error
	filled string
}{}

// Main runs the tests of a package and stops the server that they have started, if any.
func Main(m *testing.M) {
	code := m.Run()
	own.Lock()
	defer own.Unlock()
	if own.server != nil {
		own.server.Stop()
	}
	os.Exit(code)
}

// Database is the URL of an empty database, which is dropped when the test ends.
func Database(t testing.TB) string { return copied(t, nil) }

// Filled is the URL of a database with what fill makes of an empty one, which is dropped when the test ends. The first that asks has it
// made, all get copies: every test of a package has the same fill.
func Filled(t testing.TB, fill func(url string) error) string { return copied(t, fill) }

func copied(t testing.TB, fill func(url string) error) string {
	t.Helper()
	own.Lock()
	if own.server == nil && own.err == nil {
		own.server, own.err = Start()
	}
	server, err := own.server, own.err
	from := "template0"
	if err == nil && fill != nil {
		if own.filled == "" {
			if own.filled, err = server.Create(t.Context()); err == nil {
				err = fill(server.URL(own.filled))
			}
		}
		from = own.filled
	}
	own.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	name, err := server.create(t.Context(), from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := server.admin(ctx, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	return server.URL(name)
}

// URL is that of one of its databases.
func (s *Server) URL(database string) string {
	return "postgres://postgres@" + s.Address + "/" + database + "?sslmode=disable"
}

// Create makes an empty database and gives its name.
func (s *Server) Create(ctx context.Context) (string, error) { return s.create(ctx, "template0") }

func (s *Server) create(ctx context.Context, like string) (string, error) {
	name := fmt.Sprintf("test_%d", s.made.Add(1))
	return name, s.admin(ctx, "CREATE DATABASE "+name+" TEMPLATE "+like)
}

// Do runs a statement in one of its databases, as an operator would.
func (s *Server) Do(ctx context.Context, database, statement string) error {
	db, err := sql.Open("pgx", s.URL(database))
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}

func (s *Server) admin(ctx context.Context, statement string) error {
	return s.Do(ctx, "postgres", statement)
}

// tries is how often a start is tried: between the choice of a free port and its use somebody else may take it.
const tries = 5

// Start starts a server, which stops at the latest when this process ends, however it ends. Its texts are sorted by a language, not
// by their bytes, so that what relies on the one and gets the other is found.
func Start() (*Server, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	who, err := unprivileged()
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		s, err := start(bin, who)
		if err == nil || try == tries {
			return s, err
		}
	}
}

// directory makes a directory with an empty cluster in it.
func directory(bin string, who *syscall.Credential) (string, error) {
	dir, err := os.MkdirTemp("", "tocsin-postgres-")
	if err != nil {
		return "", err
	}
	if who != nil {
		err = os.Chown(dir, int(who.Uid), int(who.Gid))
	}
	if err == nil {
		initdb := exec.CommandContext(context.Background(), filepath.Join(bin, "initdb"), "--pgdata="+filepath.Join(dir, "data"), "--username=postgres", "--auth=trust",
			"--encoding=UTF8", "--no-sync", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en")
		initdb.SysProcAttr, initdb.Dir = &syscall.SysProcAttr{Credential: who}, dir
		var out []byte
		if out, err = initdb.CombinedOutput(); err != nil {
			err = fmt.Errorf("initdb: %w: %s", err, out)
		}
	}
	if err != nil {
		_ = os.RemoveAll(dir) // what cannot be removed is in a directory for such
	}
	return dir, err
}

// start starts the server under a shell which stops it, and removes its directory, as soon as its standard input ends: that happens
// when this process stops it and when this process dies, whatever it dies of.
func start(bin string, who *syscall.Credential) (*Server, error) {
	dir, err := directory(bin, who)
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	const script = `run() { "$0" "$@" >>"$DIR/log" 2>&1 & server=$!; }
run "$@"
while read -r _; do kill -QUIT $server; wait $server; run "$@"; done
kill -QUIT $server 2>/dev/null; wait $server
rm -rf "$DIR"`
	args := []string{"-c", script, filepath.Join(bin, "postgres"), "-D", filepath.Join(dir, "data")}
	for _, setting := range []string{"listen_addresses=127.0.0.1", "port=" + port, "unix_socket_directories=", "fsync=off", "full_page_writes=off",
		"max_connections=300", "shared_buffers=16MB", "wal_level=minimal", "max_wal_senders=0", "log_statement=none"} {
		args = append(args, "-c", setting)
	}
	cmd := exec.CommandContext(context.Background(), "sh", args...)
	cmd.SysProcAttr, cmd.Dir, cmd.Env = &syscall.SysProcAttr{Credential: who, Setpgid: true}, dir, append(os.Environ(), "DIR="+dir)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &Server{Address: net.JoinHostPort("127.0.0.1", port), dir: dir, stdin: stdin, ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		close(s.ended)
	}()
	if err := s.await(); err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		s.Stop()
		return nil, fmt.Errorf("%w: %s", err, log)
	}
	return s, nil
}

// await waits until the server takes connections.
func (s *Server) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		err := s.admin(ctx, "SELECT 1")
		if err == nil {
			return nil
		}
		log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
		if strings.Contains(string(log), "FATAL") && !strings.Contains(string(log), "starting up") || ctx.Err() != nil {
			return fmt.Errorf("it does not answer: %w", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Restart ends the server in the midst of all that it does, as a crash would, starts it again on what it has kept, and waits until it
// takes connections.
func (s *Server) Restart(ctx context.Context) error {
	began := func(ctx context.Context) (text string, err error) {
		db, err := sql.Open("pgx", s.URL("postgres"))
		if err != nil {
			return "", err
		}
		defer db.Close()
		err = db.QueryRowContext(ctx, "SELECT pg_postmaster_start_time()::text").Scan(&text)
		return text, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	before, err := began(ctx)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(s.stdin, "again\n"); err != nil {
		return err
	}
	for {
		now, err := began(ctx)
		if err == nil && now != before {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("PostgreSQL does not come back: %w", errors.Join(err, ctx.Err()))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Stop stops the server and removes all that it kept.
func (s *Server) Stop() {
	s.stdin.Close()
	select {
	case <-s.ended:
	case <-time.After(30 * time.Second):
	}
	_ = os.RemoveAll(s.dir) // what cannot be removed is in a directory for such
}

// programs is the directory of PostgreSQL's programs, the newest that is installed.
func programs() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) })
	if len(found) > 0 {
		return filepath.Dir(found[0]), nil
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		return filepath.Dir(path), nil
	}
	return "", errors.New("PostgreSQL is not installed, and these tests need a server to start: apt-get install postgresql (make test does it)")
}

// version is that in /usr/lib/postgresql/VERSION/bin/postgres.
func version(path string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	return n
}

// unprivileged is the user to run it as: PostgreSQL refuses root. nil is ourselves.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody to run it as")
}

// freePort is a port that nobody listens on at present.
func freePort() (string, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}
