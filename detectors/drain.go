package detectors

import (
	"strings"
	"unicode"
)

// drain finds the patterns of messages: what they have in common once the words that vary are left out. It is Drain (He, Zhu, Zheng,
// Lyu: "Drain: An Online Log Parsing Approach with Fixed Depth Tree", 2017): a message goes down a tree of fixed depth, by the number of
// its words and by the first of them, to a short list of patterns, and joins the one that it has most words in common with, if those are
// enough; what differs becomes a wildcard.
type drain struct {
	patterns []*pattern
	leaves   map[string][]*pattern
	// branches are how many different words each inner node has.
	branches map[string]map[string]bool
}

// pattern is one of them.
type pattern struct {
	Words []string
	// Seen is the day since 1970 on which it was seen last.
	Seen int64
}

const (
	wildcard = "<*>"
	// likeness is how great a share of its words a message must have in common with a pattern: the paper's st.
	likeness = 0.5
	// deep is how many words lead down the tree (as with the paper's usual depth), wide how many branches a node has; beyond, words go
	// down one branch together.
	deep = 1
	wide = 100
	// maxWords is how many words of a message are looked at.
	maxWords = 60
)

// words cuts a message into words; one with a digit in it varies.
func wordsOf(message string) []string {
	words := strings.Fields(message)
	if len(words) > maxWords {
		words = words[:maxWords]
	}
	for i, w := range words {
		if strings.IndexFunc(w, unicode.IsDigit) >= 0 {
			words[i] = wildcard
		}
	}
	return words
}

// leaf is the place in the tree that words lead to. With grow, new words get branches.
func (d *drain) leaf(words []string, grow bool) string {
	var at strings.Builder
	for n := len(words); n > 0; n /= 10 {
		at.WriteByte(byte('0' + n%10))
	}
	for i := 0; i < deep && i < len(words); i++ {
		node, w := at.String(), words[i]
		if known := d.branches[node]; !known[w] && w != wildcard {
			switch {
			case len(known) >= wide:
				w = wildcard
			case grow:
				if known == nil {
					known = map[string]bool{}
					d.branches[node] = known
				}
				known[w] = true
			}
		}
		at.WriteByte(0)
		at.WriteString(w)
	}
	return at.String()
}

// add takes a pattern in.
func (d *drain) add(p *pattern) {
	if d.leaves == nil {
		d.leaves, d.branches = map[string][]*pattern{}, map[string]map[string]bool{}
	}
	at := d.leaf(p.Words, true)
	d.patterns, d.leaves[at] = append(d.patterns, p), append(d.leaves[at], p)
}

// find is the pattern that words belong to, nil for none; whole says that it has them as it is.
func (d *drain) find(words []string) (best *pattern, whole bool) {
	most, wilds := -1, 0
	for _, p := range d.leaves[d.leaf(words, false)] {
		same, wild := 0, 0
		for i, w := range p.Words {
			switch w {
			case words[i]:
				same++
			case wildcard:
				wild++
			}
		}
		// More words in common are better, and of as many, more wildcards that take the rest.
		if same > most || same == most && wild > wilds {
			best, most, wilds = p, same, wild
		}
	}
	if best == nil || float64(most) < likeness*float64(len(words)) && most+wilds < len(words) {
		return nil, false
	}
	return best, most+wilds == len(words)
}

// join makes wildcards of the words in which a pattern and a message differ.
func (p *pattern) join(words []string) {
	for i, w := range p.Words {
		if w != words[i] {
			p.Words[i] = wildcard
		}
	}
}

func (p *pattern) String() string { return strings.Join(p.Words, " ") }
