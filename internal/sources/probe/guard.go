package probe

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
)

// denied is the error of an address that a probe may not ask.
type denied struct{ where string }

func (d denied) Error() string {
	return d.where + " is not probed: link-local and metadata addresses would tell a cloud's secrets"
}

// metadata are addresses of clouds' metadata services that are not link-local.
var metadata = []netip.Addr{
	netip.MustParseAddr("fd00:ec2::254"),   // AWS
	netip.MustParseAddr("fd20:ce::254"),    // Google
	netip.MustParseAddr("100.100.100.200"), // Alibaba
	netip.MustParseAddr("168.63.129.16"),   // Azure
	netip.MustParseAddr("192.0.0.192"),     // Oracle
}

// embedding are the prefixes of IPv6 addresses that lead to the IPv4 address in their last four bytes.
var embedding = []netip.Prefix{netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("::/96")}

var sixToFour = netip.MustParsePrefix("2002::/16")

// Denied refuses a host by its name, or by its address if it is one: what tocsin asks at somebody's wish is none that would tell a
// cloud's secrets. A name that leads there is refused when it is asked (Guarded).
func Denied(host string) error {
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	if name == "metadata" || name == "metadata.google.internal" || name == "instance-data" {
		return denied{name}
	}
	if ip, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return deniedAddress(ip)
	}
	return nil
}

// deniedAddress refuses link-local and metadata addresses in every way to write them. Loopback and private ones are allowed:
// probes look into clusters.
func deniedAddress(ip netip.Addr) error {
	plain := ip.WithZone("").Unmap()
	for _, p := range embedding {
		if b := plain.As16(); plain.Is6() && p.Contains(plain) && plain != netip.IPv6Loopback() {
			plain = netip.AddrFrom4([4]byte(b[12:]))
		}
	}
	if plain.Is6() && sixToFour.Contains(plain) {
		b := plain.As16()
		plain = netip.AddrFrom4([4]byte(b[2:6]))
	}
	if plain.IsLinkLocalUnicast() || plain.IsMulticast() || plain.IsUnspecified() {
		return denied{ip.String()}
	}
	for _, m := range metadata {
		if m == plain {
			return denied{ip.String()}
		}
	}
	return nil
}

// control is asked by the dialer for every address that it is about to connect to, after the name was resolved: a name that
// leads to a denied address gets no further.
func control(_, address string, _ syscall.RawConn) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("dial %q: %w", address, err)
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return fmt.Errorf("dial %q: %w", address, err)
	}
	return deniedAddress(ip)
}
