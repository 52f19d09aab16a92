package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// DutyList is the answer of GET /api/v1/oncall: the schedules by name.
type DutyList struct {
	Schedules []Duty `json:"schedules"`
}

// Duty is who is on call by a schedule.
type Duty struct {
	Schedule string `json:"schedule"`
	// Turns are who is on call from when, the present one first; no people in a gap. Of the last it is not known until when.
	Turns []Turn `json:"turns"`
	// Gap is what happens to a step that calls the schedule while nobody is: fallback or hold_until_next.
	Gap string `json:"gap"`
	// Overrides are those made by command that have not ended; of two that overlap the later decides.
	Overrides []Override `json:"overrides,omitempty"`
	// Copy is of a schedule that is read from elsewhere; Problems are what nobody can make sense of in it.
	Copy     *Copy    `json:"copy,omitempty"`
	Problems []string `json:"problems,omitempty"`
}

// Turn is who is on call from a time on.
type Turn struct {
	From   time.Time `json:"from"`
	People []string  `json:"people"`
}

// Override is somebody put on call by a command.
type Override struct {
	Person string    `json:"person"`
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	By     string    `json:"by"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// Copy is when a schedule was read from elsewhere last, and why it could not be since.
type Copy struct {
	FetchedAt time.Time `json:"fetched_at,omitzero"`
	Error     string    `json:"error,omitempty"`
	FailedAt  time.Time `json:"failed_at,omitzero"`
}

// OverrideWish is the body of a POST that puts somebody on call. From is now if left out.
type OverrideWish struct {
	Person string    `json:"person"`
	From   time.Time `json:"from,omitzero"`
	To     time.Time `json:"to"`
	By     string    `json:"by"`
	Reason string    `json:"reason"`
}

// TrialWish is the body of a POST that tries a receiver, or person:NAME. Dry only words it.
type TrialWish struct {
	Target string `json:"target"`
	By     string `json:"by"`
	Dry    bool   `json:"dry,omitempty"`
}

// Trial is what came of it: what was, or would be, said, and why it was not taken.
type Trial struct {
	Target string `json:"target"`
	Text   string `json:"text"`
	Sent   bool   `json:"sent"`
	Error  string `json:"error,omitempty"`
}

// Duties says who is on call now and next.
func (c *Client) Duties(ctx context.Context) (DutyList, error) {
	var list DutyList
	err := c.call(ctx, http.MethodGet, []string{"oncall"}, nil, nil, &list)
	return list, err
}

// Override puts somebody on call, and returns the schedule as it is then.
func (c *Client) Override(ctx context.Context, schedule string, wish OverrideWish) (Duty, error) {
	var d Duty
	body, err := json.Marshal(wish)
	if err != nil {
		return d, fmt.Errorf("encode request: %w", err)
	}
	err = c.call(ctx, http.MethodPost, []string{"oncall", schedule, "overrides"}, nil, body, &d)
	return d, err
}

// Try sends a test to a receiver or a person.
func (c *Client) Try(ctx context.Context, wish TrialWish) (Trial, error) {
	var t Trial
	body, err := json.Marshal(wish)
	if err != nil {
		return t, fmt.Errorf("encode request: %w", err)
	}
	err = c.call(ctx, http.MethodPost, []string{"notify-test"}, nil, body, &t)
	return t, err
}
