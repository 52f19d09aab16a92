package fakes

import (
	"context"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// RefuseWrites makes every write fail from now on; codes.OK takes that back.
func (c *CloudLogging) RefuseWrites(code codes.Code, message string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unwritable = status.New(code, message); code == codes.OK {
		c.unwritable = nil
	}
}

// LoseWrites makes every write succeed and lead to nothing from now on, as an exclusion does; or no more.
func (c *CloudLogging) LoseWrites(yes bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.losing = yes
}

// WriteLogEntries adds what is written, as Add does.
func (c *CloudLogging) WriteLogEntries(ctx context.Context, req *loggingpb.WriteLogEntriesRequest) (*loggingpb.WriteLogEntriesResponse, error) {
	if !c.hangs(ctx) {
		return nil, ctx.Err()
	}
	c.mu.Lock()
	refused, losing := c.unwritable, c.losing
	c.mu.Unlock()
	if refused != nil {
		return nil, refused.Err()
	}
	var entries []*loggingpb.LogEntry
	for _, e := range req.GetEntries() {
		e = proto.CloneOf(e)
		if e.LogName == "" {
			e.LogName = req.GetLogName()
		}
		if e.Resource == nil {
			e.Resource = proto.CloneOf(req.GetResource())
		}
		if e.GetLogName() == "" || e.GetResource().GetType() == "" {
			return nil, status.Error(codes.InvalidArgument, "A log entry has no log name, or no resource")
		}
		entries = append(entries, e)
	}
	if !losing {
		c.AddEntries(entries...)
	}
	return &loggingpb.WriteLogEntriesResponse{}, nil
}
