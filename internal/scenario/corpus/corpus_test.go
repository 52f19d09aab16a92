package corpus

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"testing"
)

func TestWriteIsDeterministic(t *testing.T) {
	var a bytes.Buffer
	if err := Write(&a, 1, 1_000_000); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(a.Bytes())
	const want = "e9ba1118d6fc8d18fedf0ff40fdead0f17e31ed87f0c098368770d05435f63f6"
	if got := hex.EncodeToString(sum[:]); got != want {
		t.Errorf("the corpus changed: %s; figures measured before are no longer to be compared", got)
	}
	if rules := Rules(1000); len(rules) != 1000 || rules[999] != Rules(1000)[999] {
		t.Errorf("%d rules", len(rules))
	}
}
