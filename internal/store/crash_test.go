package store

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"tocsin/internal/incident"
)

// childEnv holds the path of the store that the child process writes to.
const childEnv = "TOCSIN_STORE_CRASH_CHILD"

// TestChild is no test but the process that TestSurvivesKill kills: it commits one transaction after another, and says where
// it is between all statements.
func TestChild(t *testing.T) {
	path := os.Getenv(childEnv)
	if path == "" {
		t.Skip("only runs as a child of TestSurvivesKill")
	}
	ctx := context.Background()
	s, err := Open(ctx, path, Options{})
	if err != nil {
		fmt.Println("cannot open:", err)
		os.Exit(1)
	}
	for i := 1; ; i++ {
		err := s.Update(ctx, func(tx *Tx) error {
			id := fmt.Sprint(i)
			fmt.Println("begun", i)
			if err := tx.SetFact(ctx, "n", id); err != nil {
				return err
			}
			fmt.Println("first", i)
			if err := tx.SaveIncident(ctx, &incident.Incident{ID: id}); err != nil {
				return err
			}
			fmt.Println("second", i)
			_, err := tx.AddNotification(ctx, &incident.Notification{Incident: id, Kind: incident.Call})
			fmt.Println("third", i)
			return err
		})
		if err != nil {
			fmt.Println("cannot write:", err)
			os.Exit(1)
		}
		fmt.Println("committed", i)
	}
}

func TestSurvivesKill(t *testing.T) {
	onEach(t, func(t *testing.T, path string) {
		for i, at := range []string{"begun 20", "first 21", "second 22", "third 23", "committed 24"} {
			last := killChild(t, path, at)
			s := open(t, path)
			var n int
			fmt.Sscan(fact(t, s, "n"), &n)
			// The child was between two of its lines when it died: the commit behind the last one that it reported may be there.
			if n != last && n != last+1 {
				t.Errorf("killed at %s: %d is in the store, the child had committed %d", at, n, last)
			}
			view(t, s, func(ctx context.Context, tx *Tx) error {
				counts, err := tx.CountNotifications(ctx)
				if err != nil {
					return err
				}
				incidents, err := tx.CountIncidents(ctx)
				if most := incidents[""]; counts[incident.Pending] != most || most < n {
					t.Errorf("killed at %s: %d incidents, %d notifications for fact %d: they were written together", at, most, counts[incident.Pending], n)
				}
				return err
			})
			if want := int64(2*i + 2); s.Epoch() != want {
				t.Errorf("killed at %s: epoch %d, want %d", at, s.Epoch(), want)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// killChild runs TestChild until it says at, kills it, and returns the last transaction that it said was committed.
func killChild(t *testing.T, path, at string) int {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$")
	cmd.Env = append(os.Environ(), childEnv+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	committed := 0
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err == io.EOF {
			break
		}
		fmt.Sscanf(line, "committed %d", &committed)
		if strings.HasPrefix(line, "cannot") {
			t.Error(line)
		}
		if strings.TrimSpace(line) == at {
			cmd.Process.Kill()
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the child ended by itself")
	}
	return committed
}
