package rules

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"tocsin/internal/incident"
)

// TestAGroupFitsItsKey: whatever stands in the labels, a group's text fits an index, and groups that differ stay apart.
func TestAGroupFitsItsKey(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, alphabet := range []string{"\x01\x02\x1f", "<>&", "\xff\xfe", "abcdefghijklmnopqrstuvwxyz0123456789", "üöä"} {
		for n := 1; n <= 20; n++ {
			group := incident.Labels{}
			for i := range n {
				var v strings.Builder
				for v.Len() < maxLabel-2 {
					v.WriteByte(alphabet[random.IntN(len(alphabet))])
				}
				group[fmt.Sprintf("label_%d", i)] = v.String()
			}
			other := maps.Clone(group)
			other["label_0"] = other["label_0"][:maxLabel-20] + "X" + other["label_0"][maxLabel-19:]
			a, b := fitted(group).Text(), fitted(other).Text()
			if len(a) > maxGroup {
				t.Errorf("%d labels of %q: %d bytes, want at most %d", n, alphabet, len(a), maxGroup)
			}
			if a == b {
				t.Errorf("%d labels of %q: groups that differ are one", n, alphabet)
			}
		}
	}
	short := incident.Labels{"cluster": "prow", "pod": strings.Repeat("p", 200)}
	if got := fitted(maps.Clone(short)); !maps.Equal(got, short) {
		t.Errorf("a group that fits was changed: %v", got)
	}
}
