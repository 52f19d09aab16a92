package setting

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	known := []string{"channel", "token_file", "every", "url"}
	for name, want := range map[string]string{
		"chanel": "channel", "chanenl": "channel", "CHANNEL": "channel", "tokenfile": "token_file", "token-file": "token_file",
		"evry": "every", "ulr": "url", "zebra": "", "": "", "u": "", "at": "", strings.Repeat("channel", 100): "",
	} {
		if got := Nearest(name, known); got != want {
			t.Errorf("nearest of %.20q is %q, want %q", name, got, want)
		}
	}
}

func TestUnknown(t *testing.T) {
	for _, test := range []struct {
		known []string
		want  string
	}{
		{[]string{"ops", "alerts"}, `unknown receiver "opss": did you mean "ops"? known: alerts, ops`},
		{[]string{"b", "a"}, `unknown receiver "opss": known: a, b`},
		{nil, `unknown receiver "opss": none is configured`},
	} {
		if got := Unknown("receiver", "opss", test.known); got != test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
}
