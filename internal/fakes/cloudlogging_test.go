package fakes

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

func cloudLogging(t *testing.T) (*CloudLogging, loggingpb.LoggingServiceV2Client) {
	t.Helper()
	server, err := NewCloudLogging()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	conn, err := grpc.NewClient(server.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return server, loggingpb.NewLoggingServiceV2Client(conn)
}

func entryLine(project string, n int, lag time.Duration) []byte {
	at := time.Date(2026, 1, 1, 0, n, 0, 0, time.UTC)
	return fmt.Appendf(nil, `{"logName":"projects/%s/logs/x","insertId":"%03d","timestamp":%q,"receiveTimestamp":%q,"textPayload":"line %d"}`,
		project, n, at.Format(time.RFC3339Nano), at.Add(lag).Format(time.RFC3339Nano), n)
}

func TestCloudLoggingLists(t *testing.T) {
	server, client := cloudLogging(t)
	for _, n := range []int{3, 1, 4, 0, 2} {
		if err := server.Add(entryLine("p", n, time.Duration(n)*time.Minute), entryLine("q", 10+n, 0)); err != nil {
			t.Fatal(err)
		}
	}
	server.SetRefuse(func(filter string) error {
		if filter == "odd" {
			return errors.New("no such thing")
		}
		return nil
	})
	tests := map[string]struct {
		req  *loggingpb.ListLogEntriesRequest
		want string
	}{
		"all of one project":     {&loggingpb.ListLogEntriesRequest{ResourceNames: []string{"projects/p"}}, "000 001 002 003 004"},
		"newest first":           {&loggingpb.ListLogEntriesRequest{ResourceNames: []string{"projects/p"}, OrderBy: "timestamp desc"}, "004 003 002 001 000"},
		"newest first, in pages": {&loggingpb.ListLogEntriesRequest{ResourceNames: []string{"projects/p"}, OrderBy: "timestamp desc", PageSize: 2}, "004 003|002 001|000"},
		"in pages":               {&loggingpb.ListLogEntriesRequest{ResourceNames: []string{"projects/p", "projects/q"}, PageSize: 4}, "000 001 002 003|004 010 011 012|013 014"},
		"a folder":               {&loggingpb.ListLogEntriesRequest{ResourceNames: []string{"folders/1"}, Filter: `timestamp>="2026-01-01T00:11:00Z"`}, "011 012 013 014"},
		"received in between": {&loggingpb.ListLogEntriesRequest{ResourceNames: []string{"projects/p"},
			Filter: `receiveTimestamp>="2026-01-01T00:02:00Z" AND receiveTimestamp<"2026-01-01T00:08:00Z" AND timestamp>"2026-01-01T00:01:00Z"`}, "002 003"},
		"the rest is a filter":  {&loggingpb.ListLogEntriesRequest{ResourceNames: []string{"projects/p"}, Filter: `timestamp<="2026-01-01T00:03:00Z" AND textPayload="line 3"`}, "003"},
		"no resource":           {&loggingpb.ListLogEntriesRequest{}, "InvalidArgument"},
		"another order":         {&loggingpb.ListLogEntriesRequest{ResourceNames: []string{"projects/p"}, OrderBy: "receiveTimestamp asc"}, "InvalidArgument"},
		"a token of another":    {&loggingpb.ListLogEntriesRequest{ResourceNames: []string{"projects/p"}, PageToken: "eHg"}, "InvalidArgument"},
		"a filter it refuses":   {&loggingpb.ListLogEntriesRequest{ResourceNames: []string{"projects/none"}, Filter: "odd"}, "InvalidArgument"},
		"no filter":             {&loggingpb.ListLogEntriesRequest{ResourceNames: []string{"projects/none"}, Filter: "severity>="}, "InvalidArgument"},
		"a bound that is wrong": {&loggingpb.ListLogEntriesRequest{ResourceNames: []string{"projects/p"}, Filter: `timestamp>="yesterday"`}, "InvalidArgument"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var pages []string
			for {
				resp, err := client.ListLogEntries(t.Context(), tt.req)
				if err != nil {
					pages = append(pages, status.Code(err).String())
					break
				}
				var ids []string
				for _, e := range resp.GetEntries() {
					ids = append(ids, e.GetInsertId())
				}
				pages = append(pages, strings.Join(ids, " "))
				if resp.GetNextPageToken() == "" {
					break
				}
				tt.req.PageToken = resp.GetNextPageToken()
			}
			if diff := cmp.Diff(tt.want, strings.Join(pages, "|")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestCloudLoggingAdd(t *testing.T) {
	server, client := cloudLogging(t)
	before := time.Now()
	err := server.Add([]byte(`{"logName":"projects/p/logs/x","severity":450,"unknownField":1,"protoPayload":{"@type":"type.googleapis.com/no.such.Type","value":"AQI="}}`))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.ListLogEntries(t.Context(), &loggingpb.ListLogEntriesRequest{ResourceNames: []string{"projects/p"}})
	if err != nil || len(resp.GetEntries()) != 1 {
		t.Fatalf("%v, %v", resp, err)
	}
	e := resp.GetEntries()[0]
	if e.GetInsertId() == "" || e.GetReceiveTimestamp().AsTime().Before(before) || !e.GetTimestamp().AsTime().Equal(e.GetReceiveTimestamp().AsTime()) ||
		e.GetSeverity() != 450 || string(e.GetProtoPayload().GetValue()) != "\x01\x02" {
		t.Errorf("entry %v", e)
	}
	for _, bad := range []string{"", "{", "[]", `{"timestamp":1}`} {
		if err := server.Add(entryLine("p", 1, 0), []byte(bad)); err == nil || !strings.HasPrefix(err.Error(), "read entry 2: ") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	resp, err = client.ListLogEntries(t.Context(), &loggingpb.ListLogEntriesRequest{ResourceNames: []string{"projects/p"}})
	if err != nil || len(resp.GetEntries()) != 1 {
		t.Errorf("after what was refused: %v, %v", resp, err)
	}
}

func TestCloudLoggingFails(t *testing.T) {
	server, client := cloudLogging(t)
	req := &loggingpb.ListLogEntriesRequest{ResourceNames: []string{"projects/p"}}
	list := func() codes.Code {
		_, err := client.ListLogEntries(context.Background(), req)
		return status.Code(err)
	}
	server.Fail(1, codes.Unavailable, "a")
	server.Fail(2, codes.ResourceExhausted, "b")
	got := []codes.Code{list(), list()}
	server.Recover()
	got = append(got, list())
	if diff := cmp.Diff([]codes.Code{codes.Unavailable, codes.ResourceExhausted, codes.OK}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if server.Calls() != 3 {
		t.Errorf("%d calls, want 3", server.Calls())
	}
}
