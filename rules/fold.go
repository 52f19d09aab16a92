package rules

import (
	"fmt"
	"slices"
	"strings"

	"tocsin/internal/incident"
	"tocsin/internal/words"
)

// usualGroups is how many groups a rule may have at once if it does not say; mostGroups how many it may say.
const (
	usualGroups = 1000
	mostGroups  = 100000
)

// maxGroups reads how many groups the rule may have.
func (rd *reader) maxGroups(set *ruleSettings, r *Rule) {
	r.maxGroups = usualGroups
	if set.MaxGroups == nil {
		return
	}
	if r.maxGroups = *set.MaxGroups; r.maxGroups < 1 || r.maxGroups > mostGroups {
		rd.fail("max_groups", "%d groups: write a number from 1 to %d", r.maxGroups, mostGroups)
	}
}

// Others is the value of every label of the group into which the groups of a rule are folded that are too many.
const Others = "(others)"

// others is the group of a rule's folded groups.
func (r *Rule) others() incident.Labels {
	group := make(incident.Labels, len(r.groupBy))
	for _, g := range r.groupBy {
		group[g.name] = Others
	}
	return group
}

// Folds says whether a key is of the group that a rule's other groups are folded into.
func Folds(key incident.Key) bool { return strings.Contains(key.Group, `"`+Others+`"`) }

// maxFolded is how many of the groups that were folded are named.
const maxFolded = 5

// stateOf is the state of a hit's group, under the key that it has. A group that is new, of a rule that has as many as it may, is folded
// into that of the others.
func (s *stepping) stateOf(h *Hit) (*State, incident.Key, error) {
	r, key := h.Rule, h.Key
	if fold, ok := s.folded[key]; ok {
		st, err := s.state(r, fold, nil)
		return st, fold, err
	}
	if s.out.States[key] != nil || s.Groups == nil || len(r.groupBy) == 0 {
		st, err := s.state(r, key, h.Group)
		return st, key, err
	}
	n, counted := s.groups[r.Name]
	if !counted {
		s.outside = true
		var err error
		n, err = s.Groups(r.Name)
		if s.outside = false; err != nil {
			return nil, key, fmt.Errorf("count groups of %s: %w", r.Name, err)
		}
	}
	s.groups[r.Name] = n
	st, err := s.state(r, key, h.Group)
	if err != nil || !st.made {
		return st, key, err
	}
	if observes := h.Role != roleAlive && h.Role != roleClear; n < r.maxGroups {
		if observes {
			s.groups[r.Name]++
		}
		return st, key, nil
	}
	delete(s.out.States, key)
	group := r.others()
	fold := incident.Key{Rule: r.Name, Group: group.Text()}
	s.folded[key] = fold
	if st, err = s.state(r, fold, group); err != nil {
		return nil, fold, err
	}
	if !slices.Contains(st.Folded, key.Group) {
		if len(st.Folded) < maxFolded {
			st.Folded = append(st.Folded, key.Group)
		} else {
			st.FoldedMore = true
		}
	}
	if s.out.Folded == nil {
		s.out.Folded = map[string]string{}
	}
	s.out.Folded[r.Name] = r.foldedText(st)
	return st, fold, nil
}

// foldedText says which groups were folded.
func (r *Rule) foldedText(st *State) string {
	names := make([]string, len(st.Folded))
	for i, g := range st.Folded {
		names[i] = words.Clean(g, maxLabel)
	}
	text := fmt.Sprintf("more than %d groups (max_groups): counted as one are %s", r.maxGroups, strings.Join(names, ", "))
	if st.FoldedMore {
		text += " and others"
	}
	return text
}
