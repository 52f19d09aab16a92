//go:build unix

package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/encoding/protojson"
)

// messages writes a corpus as a tail brings it: as protocol buffers.
func (b *bench) messages(name string, of *input) (*input, error) {
	in := &input{path: filepath.Join(b.dir, name), entries: of.entries}
	lines, err := os.Open(of.path)
	if err != nil {
		return nil, fmt.Errorf("read the corpus: %w", err)
	}
	defer lines.Close() // only read from
	out, err := os.Create(in.path)
	if err != nil {
		return nil, fmt.Errorf("write messages: %w", err)
	}
	w := bufio.NewWriterSize(out, 1<<20)
	for s := bufio.NewScanner(lines); s.Scan(); {
		var m loggingpb.LogEntry
		line := strings.Replace(s.Text(), `"@type"`, `"type"`, 1) // protojson has it for an Any only
		if err := protojson.Unmarshal([]byte(line), &m); err != nil {
			return nil, fmt.Errorf("make a message: %w", err)
		}
		n, err := protodelim.MarshalTo(w, &m)
		if err != nil {
			return nil, fmt.Errorf("write messages: %w", err)
		}
		in.bytes += int64(n)
	}
	if err := w.Flush(); err != nil {
		return nil, fmt.Errorf("write messages: %w", err)
	}
	return in, out.Close()
}
