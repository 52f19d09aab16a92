package access

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net/http"
	"sync"

	"golang.org/x/crypto/bcrypt"
)

// passwords remembers which were right, so that each request need not take bcrypt's time; and lets one guess in at a time, so that
// guessing leaves the rest of the machine to those who are to be called.
type passwords struct {
	key  []byte
	turn chan struct{}
	mu   *sync.Mutex
	seen map[string]bool
	// nobody is what is compared for who does not exist.
	nobody string
}

// mostSeen bounds what is remembered.
const mostSeen = 200

func newPasswords() passwords {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	return passwords{key: key, turn: make(chan struct{}, 1), mu: new(sync.Mutex), seen: map[string]bool{}, nobody: nobodys}
}

// nobodys is the hash of a password that nobody has: who does not exist takes as long to refuse as who does.
const nobodys = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"

// byPassword is whoever shows a name and the password that belongs to it.
func (g *Gate) byPassword(r *http.Request) (Identity, error) {
	name, password, ok := r.BasicAuth()
	if !ok || name == "" || len(name) > 200 || len(password) > 72 { // bcrypt reads no more
		return Identity{}, g.refuse(r.Context(), "the name and the password", nil)
	}
	users, err := g.Users()
	if err != nil {
		return Identity{}, fmt.Errorf("read users: %w", err)
	}
	hash, known := users[name]
	if !known {
		hash = g.passwords.nobody
	}
	p := &g.passwords
	mac := hmac.New(sha256.New, p.key)
	fmt.Fprintf(mac, "%q %q %q", name, hash, password)
	id := string(mac.Sum(nil))
	p.mu.Lock()
	right := p.seen[id]
	p.mu.Unlock()
	if !right {
		select {
		case p.turn <- struct{}{}:
		case <-r.Context().Done():
			return Identity{}, r.Context().Err()
		}
		err = bcrypt.CompareHashAndPassword([]byte(hash), []byte(password))
		<-p.turn
		if err != nil || !known {
			return Identity{}, g.refuse(r.Context(), "the name and the password", err)
		}
		p.mu.Lock()
		if len(p.seen) >= mostSeen {
			clear(p.seen)
		}
		p.seen[id] = true
		p.mu.Unlock()
	}
	return g.person(name, "password", nil), nil
}
