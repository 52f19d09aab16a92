package google

import (
	"errors"
	"strings"
	"testing"
)

// The mend stands before the library's words: of a long text the beginning is told.
func TestExplain(t *testing.T) {
	missing := errors.New("credentials: could not find default credentials")
	got := Explain(missing)
	if !strings.HasPrefix(got.Error(), "sign in at Google Cloud (gcloud auth application-default login;") || !errors.Is(got, missing) {
		t.Errorf("explained as %q", got)
	}
}
