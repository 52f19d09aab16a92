package chat

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestABodyThatDoesNotComeWhole: what stops on its way, and what is too long, is refused as what it is: Slack delivers the one again.
func TestABodyThatDoesNotComeWhole(t *testing.T) {
	server := httptest.NewUnstartedServer(New(Options{}))
	server.Config.ReadTimeout = 50 * time.Millisecond
	server.Start()
	defer server.Close()
	for body, want := range map[string]int{"{": http.StatusRequestTimeout, strings.Repeat("x", maxBody+1): http.StatusRequestEntityTooLarge} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST /slack/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", maxBody+1, body)
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode != want {
			t.Errorf("%d bytes of %d: %s, want %d", len(body), maxBody+1, answer.Status, want)
		}
	}
}
