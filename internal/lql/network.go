package lql

import (
	"net/netip"
	"strings"

	"tocsin/internal/logs"
)

// subnet is ip_in_net's second argument.
func (p *parser) subnet(c *Call) {
	t := p.text("a subnet such as \"10.0.0.0/8\"")
	c.Value = Literal{Text: t.text, Quoted: true}
	subnet, ok := parseSubnet(t.text)
	if !ok {
		p.report(t, "bad subnet", "ip_in_net takes an address or a range in double quotes, such as \"10.1.2.3\", \"10.1.2.0/24\" or \"1:2::/48\"")
		return
	}
	field := c.Field
	c.match = func(e *logs.Entry) bool {
		return field.each(e, func(it item) bool {
			if it.unset || it.v.Kind != logs.String {
				return false
			}
			found, ok := parseSubnet(it.v.Str)
			return ok && found.Bits() >= subnet.Bits() && subnet.Contains(found.Addr())
		})
	}
}

// parseSubnet reads an address or a range in CIDR notation; an address is the range of itself.
func parseSubnet(s string) (netip.Prefix, bool) {
	if strings.IndexByte(s, '/') >= 0 {
		n, err := netip.ParsePrefix(s)
		return n.Masked(), err == nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, a.BitLen()), true
}
