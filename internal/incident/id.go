package incident

import (
	"crypto/sha256"
	"time"
)

// crockford is the alphabet of ULIDs: sorted as text they sort by time.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// NewID makes an incident's id: a ULID of the first entry's time, eight characters of a hash of (rule, group), and eight of
// that entry's identity. The same first entry gives the same id, and what opened it is found again by KeyHash even when the
// store is lost.
func NewID(first time.Time, key Key, identity string) string {
	b := make([]byte, 0, 26)
	ms := uint64(max(first.UnixMilli(), 0))
	for shift := 45; shift >= 0; shift -= 5 {
		b = append(b, crockford[ms>>shift&31])
	}
	return string(b) + KeyHash(key) + hash8(identity)
}

// KeyHash is eight characters that stand for a (rule, group): characters 11 to 18 of the ids of incidents that it opened.
func KeyHash(key Key) string { return hash8(key.Rule + "\x00" + key.Group) }

// HashOf takes the KeyHash out of an incident's id or of a pager's key made of it; "" if it is neither.
func HashOf(id string) string {
	if len(id) < 26 {
		return ""
	}
	return id[10:18]
}

// hash8 is the first 40 bits of a SHA-256 in Crockford's alphabet.
func hash8(s string) string {
	sum := sha256.Sum256([]byte(s))
	var n uint64
	for _, c := range sum[:5] {
		n = n<<8 | uint64(c)
	}
	b := make([]byte, 8)
	for i := range b {
		b[i] = crockford[n>>(35-5*i)&31]
	}
	return string(b)
}
