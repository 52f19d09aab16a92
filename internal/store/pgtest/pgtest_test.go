package pgtest

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// childEnv makes the test binary a process that starts a server and waits to be killed.
const childEnv = "TOCSIN_PGTEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) == "" {
		Main(m)
		return
	}
	s, err := Start()
	if err != nil {
		fmt.Println("cannot start:", err)
		os.Exit(1)
	}
	fmt.Println(s.Address, s.dir)
	select {}
}

// TestNothingIsLeft: a process that is killed leaves neither its server nor its directory.
func TestNothingIsLeft(t *testing.T) {
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childEnv+"=1")
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	address, dir, ok := strings.Cut(strings.TrimSpace(line), " ")
	if err != nil || !ok || strings.HasPrefix(line, "cannot") {
		t.Fatalf("the child said %q, %v", line, err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	look, late := time.NewTicker(20*time.Millisecond), time.After(time.Minute)
	defer look.Stop()
	for {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
		}
		_, gone := os.Stat(dir)
		if err != nil && os.IsNotExist(gone) {
			return
		}
		select {
		case <-look.C:
		case <-late:
			t.Fatalf("a minute after the kill: it listens: %v, its directory %s: %v", err == nil, dir, gone)
		}
	}
}

func TestEachAskerHasADatabaseOfItsOwn(t *testing.T) {
	if a, b := Database(t), Database(t); a == b {
		t.Errorf("two are both at %s", a)
	}
}
