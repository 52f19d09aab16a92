package fakes

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"tocsin/internal/logs"
	"tocsin/internal/lql"
)

// filtering is a request's filter, ready to be asked of entries.
type filtering struct {
	resources []string
	bounds    []bound
	rest      *lql.Filter
}

// newFiltering parses a request's filter; an error refuses it.
func newFiltering(resources []string, filter string) (*filtering, error) {
	if _, err := lql.Parse(filter); err != nil {
		return nil, err
	}
	bounds, rest, err := splitBounds(filter)
	if err != nil {
		return nil, err
	}
	f := &filtering{resources: resources, bounds: bounds}
	f.rest, err = lql.Parse(rest)
	return f, err
}

func (f *filtering) wants(e *held) bool {
	return within(e, f.bounds) && inResources(e.LogEntry, f.resources) && f.rest.Match(e.read())
}

// since is when the oldest was received that is wanted, at the earliest; zero where that is not said.
func (f *filtering) since() (t time.Time) {
	for _, b := range f.bounds {
		if b.field == "receiveTimestamp" && strings.HasPrefix(b.op, ">") && b.at.After(t) {
			t = b.at
		}
	}
	return t
}

// read is the entry as a filter sees it.
func (e *held) read() *logs.Entry {
	if e.parsed == nil {
		b, err := proto.Marshal(e.LogEntry)
		if err != nil {
			b = nil // an entry that nothing matches but an empty filter
		}
		logs.Batch{Form: logs.Proto, Data: append(binary.AppendUvarint(nil, uint64(len(b))), b...)}.Entries(time.Time{}, func(read *logs.Entry) bool {
			e.parsed = read
			return false
		})
	}
	return e.parsed
}

// bound is one comparison with a time.
type bound struct {
	field, op string
	at        time.Time
}

var boundText = regexp.MustCompile(`^\s*(?:AND\s+)?(receiveTimestamp|timestamp)\s*(>=|<=|>|<)\s*"([^"]*)"`)

// splitBounds takes the bounds on time from the front of a filter. The rest is a filter of its own.
func splitBounds(filter string) ([]bound, string, error) {
	var bounds []bound
	for {
		m := boundText.FindStringSubmatch(filter)
		if m == nil {
			rest := strings.TrimSpace(filter)
			if len(bounds) > 0 {
				rest = strings.TrimSpace(strings.TrimPrefix(rest, "AND "))
			}
			return bounds, rest, nil
		}
		at, err := time.Parse(time.RFC3339Nano, m[3])
		if err != nil {
			return nil, "", fmt.Errorf("%s: %q is no time", m[1], m[3])
		}
		bounds = append(bounds, bound{field: m[1], op: m[2], at: at})
		filter = filter[len(m[0]):]
	}
}

func within(e *held, bounds []bound) bool {
	for _, b := range bounds {
		t := e.at
		if b.field == "receiveTimestamp" {
			t = e.received
		}
		n := t.Compare(b.at)
		switch {
		case b.op == ">=" && n < 0, b.op == "<=" && n > 0, b.op == ">" && n <= 0, b.op == "<" && n >= 0:
			return false
		}
	}
	return true
}

// inResources says whether an entry lies in one of the resources. What lies in a folder, an organization or a view is not known
// here: they hold everything.
func inResources(e *loggingpb.LogEntry, names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		return !strings.HasPrefix(name, "projects/") || strings.Contains(name, "/views/") || strings.HasPrefix(e.GetLogName(), name+"/")
	})
}

// parseEntry reads a LogEntry. protojson refuses a protoPayload of a type that is not linked in: that one is taken apart here.
func parseEntry(line []byte) (*loggingpb.LogEntry, error) {
	e := &loggingpb.LogEntry{}
	lax := protojson.UnmarshalOptions{DiscardUnknown: true}
	firstErr := lax.Unmarshal(line, e)
	if firstErr == nil {
		return e, nil
	}
	var fields map[string]json.RawMessage
	var payload struct {
		Type  string `json:"@type"`
		Value []byte `json:"value"`
	}
	if json.Unmarshal(line, &fields) != nil || json.Unmarshal(fields["protoPayload"], &payload) != nil {
		return nil, fmt.Errorf("not a LogEntry: %w", firstErr)
	}
	delete(fields, "protoPayload")
	rest, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("not a LogEntry: %w", err)
	}
	e = &loggingpb.LogEntry{}
	if err := lax.Unmarshal(bytes.TrimSpace(rest), e); err != nil {
		return nil, fmt.Errorf("not a LogEntry: %w", err)
	}
	e.Payload = &loggingpb.LogEntry_ProtoPayload{ProtoPayload: &anypb.Any{TypeUrl: payload.Type, Value: payload.Value}}
	return e, nil
}
