package app

import (
	"regexp"
	"slices"
	"strconv"

	"tocsin/internal/config"
)

// addressKeys are the settings, of whatever kind, that hold the address of a server.
var addressKeys = []string{"address", "api_url", "control", "endpoint", "host", "listen", "server", "url"}

// portOf finds the port in a URL, or in host:port.
var portOf = regexp.MustCompile(`^(?:[a-z][a-z0-9+.-]*://(?:[^/?#\s]*@)?)?(?:\[[0-9a-fA-F:.]*\]|[^/?#\s:@]*):([0-9]+)(?:[/?#].*)?$`)

// ports finds addresses with a port that no server has.
func (l *loading) ports(n config.Node) {
	for _, item := range n.Items() {
		l.ports(item)
	}
	for _, m := range n.Members() {
		text, ok := m.Value.Scalar()
		if !ok {
			l.ports(m.Value)
			continue
		}
		if !slices.Contains(addressKeys, m.Key) {
			continue
		}
		found := portOf.FindStringSubmatch(text)
		if found == nil {
			continue
		}
		if port, err := strconv.Atoi(found[1]); err != nil || port > 65535 || port == 0 && m.Key != "listen" {
			l.errs = append(l.errs, m.Value.Position().Errorf("%s: port %s is out of range: write one from 1 to 65535", m.Key, found[1]))
		}
	}
}
