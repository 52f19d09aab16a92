// Package google is what those who speak with Google's APIs have in common: how a client is opened, where a stand-in is asked in the
// API's place, and what a source does and says while its calls fail.
package google

import (
	"context"
	"fmt"
	"net"
	"regexp"
	"strings"

	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"tocsin/internal/setting"
)

// Dialer stands in for the network; see net.Dialer.DialContext. The network is TCP.
type Dialer func(ctx context.Context, address string) (net.Conn, error)

var hostAndPort = regexp.MustCompile(`^(\[[0-9a-fA-F:]+\]|[^/:\s]+):[0-9]+$`)

// CheckEndpoint says what is wrong with the setting endpoint of a client: it is left out, or host:port.
func CheckEndpoint(endpoint string) []setting.FieldError {
	if endpoint == "" || hostAndPort.MatchString(endpoint) {
		return nil
	}
	return []setting.FieldError{{Path: "endpoint", Text: fmt.Sprintf("%q is not host:port", endpoint)}}
}

// Options are those of a client. Without an endpoint it asks Google. One in googleapis.com is asked with TLS and the account's
// credentials, any other without both, by dial if that is set: it is taken for a stand-in on this machine.
func Options(endpoint string, dial Dialer) []option.ClientOption {
	if endpoint == "" {
		return nil
	}
	o := []option.ClientOption{option.WithEndpoint(endpoint)}
	if host, _, err := net.SplitHostPort(endpoint); err == nil && strings.HasSuffix(strings.ToLower(host), ".googleapis.com") {
		return o
	}
	o = append(o, option.WithoutAuthentication(), option.WithTelemetryDisabled(), option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	if dial != nil { // the name is the dialer's to look up
		o = append(o, option.WithEndpoint("passthrough:///"+endpoint), option.WithGRPCDialOption(grpc.WithContextDialer(dial)))
	}
	return o
}

// Explain puts before an error of making a client how its credentials come to be there: what is told of it is cut behind.
func Explain(err error) error {
	return fmt.Errorf("sign in at Google Cloud (gcloud auth application-default login; in a cluster Workload Identity, see deploy/README.md): %w", err)
}
