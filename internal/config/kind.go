package config

import (
	"maps"
	"slices"
	"strings"

	"tocsin/internal/setting"
)

// DecodeKind reads settings whose one key names their kind, {slack: {channel: "#ops"}}: it makes the kind's settings, decodes
// into them and validates them, as Decode does. what says of what it is a kind ("notifier"), for messages. A kind without
// settings may be written as {console: }. kinds makes a spec for each name: a pointer behind an interface. With mistakes, name
// and spec are what could be made out.
func DecodeKind[S any](n Node, what string, kinds map[string]func() S) (name string, spec S, errs Errors) {
	names := slices.Sorted(maps.Keys(kinds))
	members := n.Members()
	if text, ok := n.Scalar(); ok && kinds[text] != nil {
		return "", spec, Errors{n.position.Errorf("found the text %q: write {%s: {}} with its settings in the inner braces", text, text)}
	}
	if n.Kind() != Mapping || len(members) == 0 {
		return "", spec, Errors{n.position.Errorf("found %s, want a kind of %s with its settings, such as {%s: {...}}; kinds: %s",
			found(n), what, first(names), strings.Join(names, ", "))}
	}
	for _, m := range members {
		if kinds[m.Key] == nil {
			errs = append(errs, Error{Position: m.KeyPosition, Text: setting.Unknown("kind of "+what, m.Key, names)})
		}
	}
	if len(members) > 1 && len(errs) < len(members) {
		return "", spec, append(errs, members[1].KeyPosition.Errorf("this %s has two kinds, %s and %s: make two of it, or indent the settings under their kind",
			what, bounded(members[0].Key), bounded(members[1].Key))).Sorted()
	}
	if len(errs) > 0 {
		return members[0].Key, spec, errs.Sorted()
	}
	spec = kinds[members[0].Key]()
	return members[0].Key, spec, Decode(members[0].Value, any(spec))
}

func first(names []string) string {
	if len(names) == 0 {
		return "kind"
	}
	return names[0]
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
