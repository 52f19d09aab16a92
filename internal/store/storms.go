package store

import (
	"context"
	"fmt"

	"tocsin/internal/incident"
)

// StormMember is an incident whose page a storm's stands for.
type StormMember struct {
	Incident string
	// Round is the storm's page that names the incident first.
	Round int
	// State, Severity and Title are the incident's as they are now, Muzzled that its policy is held; they are read, not written.
	State    incident.State
	Severity incident.Severity
	Title    string
	Muzzled  bool
}

// AddStormMember rolls an incident into a storm. One that is in it stays as it is. The column notification is of
// a tocsin before; nothing reads it.
func (tx *Tx) AddStormMember(ctx context.Context, storm string, m StormMember) error {
	_, err := tx.exec(ctx, "INSERT INTO storms (storm, incident, notification, round) VALUES ($1, $2, 0, $3) ON CONFLICT (storm, incident) DO NOTHING",
		storm, m.Incident, m.Round)
	if err != nil {
		return fmt.Errorf("roll incident %s into storm %s: %w", m.Incident, storm, err)
	}
	return nil
}

// StormMembers are the incidents of a storm, by id.
func (tx *Tx) StormMembers(ctx context.Context, storm string) ([]StormMember, error) {
	all, err := list(ctx, tx, func(r row, m *StormMember) error {
		var inc incident.Incident
		err := r.Scan(&m.Incident, &m.Round, (*string)(&m.State), severityInto{&m.Severity}, &m.Title, nestedInto{&inc.Holds})
		m.Muzzled = inc.Muzzled()
		return err
	}, "SELECT s.incident, s.round, i.state, i.severity, i.title, i.holds FROM storms s JOIN incidents i ON i.id = s.incident "+
		"WHERE s.storm = $1 ORDER BY s.incident", storm)
	if err != nil {
		return nil, fmt.Errorf("read incidents of storm %s: %w", storm, err)
	}
	return all, nil
}
