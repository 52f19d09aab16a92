package lql

import (
	"net/netip"
	"net/url"
	"regexp"
	"strings"
)

var refDelimiters = func() *regexp.Regexp {
	parts := strings.Fields(`%2526 %2520 %21 %26 %3B %3b %7C %7c %20 %2B %2b %3D %3d %5D %5d %5B %5b %3A %3a %0A %0a %2C %2c %28 %29`)
	for _, c := range "[]<>(){}|!;,'\"*&?+/:=@.-$%\\_\n\r \t" {
		parts = append(parts, regexp.QuoteMeta(string(c)))
	}
	return regexp.MustCompile(strings.Join(parts, "|"))
}()

func asciiLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 32
		}
	}
	return string(b)
}

// refSearch is SEARCH over texts: tokens in any of them, phrases whole in one.
func refSearch(texts []string, tokens, phrases []string) bool {
	have := map[string]bool{}
	for _, s := range texts {
		for _, token := range refDelimiters.Split(s, -1) {
			have[asciiLower(token)] = true
		}
	}
	for _, token := range tokens {
		if !have[asciiLower(token)] {
			return false
		}
	}
	for _, phrase := range phrases {
		hit := false
		for _, s := range texts {
			cuts := map[int]bool{0: true, len(s): true}
			for _, at := range refDelimiters.FindAllStringIndex(s, -1) {
				cuts[at[0]], cuts[at[1]] = true, true
			}
			for i := range cuts {
				if end := i + len(phrase); end <= len(s) && cuts[end] && asciiLower(s[i:end]) == asciiLower(phrase) {
					hit = true
				}
			}
		}
		if !hit {
			return false
		}
	}
	return true
}

// refTexts is all text in a value; what the schema gives another type is none.
func refTexts(v any, typ refType) []string {
	var out []string
	switch v := v.(type) {
	case string:
		if typ == freeType || typ == stringType || typ == labelType || typ == protoType {
			out = append(out, v)
		}
	case []any:
		for _, item := range v {
			out = append(out, refTexts(item, typ)...)
		}
	case object:
		for k, item := range v {
			next := freeType
			if typ == messageType {
				next = refSchema[k]
			}
			out = append(out, refTexts(item, next)...)
		}
	}
	return out
}

func refInNet(v any, subnet string) bool {
	s, ok := v.(string)
	if !ok {
		return false
	}
	net := netip.MustParsePrefix(subnet)
	if a, err := netip.ParseAddr(s); err == nil {
		return net.Contains(a)
	}
	p, err := netip.ParsePrefix(s)
	return err == nil && p.Bits() >= net.Bits() && net.Contains(p.Addr())
}

// refLogID is the resource and the log id of a logName.
func refLogID(e object) (parent, id string) {
	name, _ := e["logName"].(string)
	parent, id, found := strings.Cut(name, "/logs/")
	if !found {
		return "", ""
	}
	id, _ = url.PathUnescape(id)
	return parent, id
}
