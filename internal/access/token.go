package access

import (
	"crypto/subtle"
	"os"
	"strings"
)

// Token is a secret that a program or a command shows.
type Token struct {
	// Name is for the trail, Role what it may do.
	Name string
	Role Role
	// Hash is its SHA-256 in hex, or File the file that holds it, read at each use.
	Hash, File string
}

// leastToken is how many characters a token has at least: one that can be guessed is none.
const leastToken = 20

// byToken is a token by its secret. All are compared, so that how long it takes tells nothing.
func (g *Gate) byToken(secret string) (Identity, error) {
	var found *Token
	given := hashed(secret)
	for i := range g.Tokens {
		t := &g.Tokens[i]
		want := t.Hash
		if t.File != "" {
			data, err := os.ReadFile(t.File)
			text := strings.TrimSpace(string(data))
			if err != nil || len(text) < leastToken {
				g.Log.Error("a token's file is of no use: it is missing, or shorter than 20 characters", "token", t.Name, "error", err)
				continue
			}
			want = hashed(text)
		}
		if subtle.ConstantTimeCompare([]byte(given), []byte(want)) == 1 && len(secret) >= leastToken {
			found = t
		}
	}
	if found == nil {
		g.Log.Warn("sign-in refused", "credential", "a token")
		return Identity{}, &Error{Unauthenticated, "that token is not valid here"}
	}
	return Identity{Name: "token " + found.Name, Role: found.Role, Way: "token " + found.Name, Claims: true}, nil
}
