package heartbeat

import (
	"context"
	"fmt"
	"regexp"
	"sync"
	"time"

	"cloud.google.com/go/logging"
	"google.golang.org/api/option"
	"google.golang.org/genproto/googleapis/api/monitoredres"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"tocsin/internal/sources/google"
)

// CanaryLog is the log that canaries write to, below its project.
const CanaryLog = "tocsin/canary"

var (
	projectID = regexp.MustCompile(`^[a-z0-9][a-z0-9.:-]*$`)
)

// LineWriter writes the lines of a canary.
type LineWriter interface {
	// Write writes one line, meant for a source, to the log of a project.
	Write(ctx context.Context, project, source string, l Line) error
	// Explain words an error of Write with its mend, and says whether it lasts until somebody does something.
	Explain(err error) (text string, lasting bool)
	// Close ends the connections.
	Close()
}

// writeTimeout is how long writing a line, or points, may take.
const writeTimeout = 10 * time.Second

// CloudWriter writes to Cloud Logging. Make it with NewCloudWriter.
type CloudWriter struct {
	options []option.ClientOption

	mu      sync.Mutex
	writers map[string]projectWriter // by project
}

// projectWriter writes to one project. The client keeps a goroutine for each logger that it is asked for.
type projectWriter struct {
	client *logging.Client
	logger *logging.Logger
}

// NewCloudWriter makes a writer; no connection is made before the first line.
func NewCloudWriter(options ...option.ClientOption) *CloudWriter {
	return &CloudWriter{options: options, writers: map[string]projectWriter{}}
}

// Write writes one line and waits until Cloud Logging has taken it, ten seconds at the most.
func (w *CloudWriter) Write(ctx context.Context, project, source string, l Line) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	logger, err := w.logger(ctx, project)
	if err != nil {
		return err
	}
	return logger.LogSync(ctx, logging.Entry{Timestamp: l.At, Severity: logging.Info, InsertID: l.Nonce,
		Payload: map[string]any{"canary": l.Nonce, "source": source, "message": "tocsin looks whether this line comes back to it"}})
}

func (w *CloudWriter) logger(ctx context.Context, project string) (*logging.Logger, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p, ok := w.writers[project]; ok {
		return p.logger, nil
	}
	c, err := logging.NewClient(context.WithoutCancel(ctx), "projects/"+project, w.options...)
	if err != nil {
		return nil, fmt.Errorf("open Cloud Logging client: %w", google.Explain(err))
	}
	c.OnError = func(error) {} // of what is written in the background, which is nothing
	// The resource is named: left out, the client would look for one and say where tocsin runs.
	l := c.Logger(CanaryLog, logging.CommonResource(&monitoredres.MonitoredResource{Type: "global", Labels: map[string]string{"project_id": project}}))
	w.writers[project] = projectWriter{client: c, logger: l}
	return l, nil
}

// Explain words an error of Write.
func (w *CloudWriter) Explain(err error) (text string, lasting bool) {
	switch status.Code(err) {
	case codes.PermissionDenied, codes.Unauthenticated:
		return fmt.Sprintf("access denied, grant roles/logging.logWriter on it to the account that tocsin runs as: %s", words(err)), true
	case codes.NotFound, codes.InvalidArgument:
		return fmt.Sprintf("it was refused, look at project under canary: %s", words(err)), true
	case codes.ResourceExhausted:
		return fmt.Sprintf("the quota for writing logs is used up, which everybody who logs there shares: %s", words(err)), false
	case codes.Unavailable, codes.DeadlineExceeded:
		return fmt.Sprintf("no answer, look at the way out to logging.googleapis.com:443 and at status.cloud.google.com: %s", words(err)), false
	}
	return words(err), false
}

// words are the API's own words in an error.
func words(err error) string {
	if s, ok := status.FromError(err); ok {
		return s.Code().String() + ": " + s.Message()
	}
	return err.Error()
}

// Close ends the connections.
func (w *CloudWriter) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for project, p := range w.writers {
		_ = p.client.Close() // each line was waited for
		delete(w.writers, project)
	}
}
