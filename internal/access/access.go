// Package access says who asks and what they may do: sign-in by token, password, Google's Identity-Aware Proxy or OpenID Connect, four roles,
// the one check that pages, API, Slack and pagers share, and the audit trail of what was done. Without a sign-in everybody who can
// reach the service may do everything, so that it listens to its own machine alone.
package access

import (
	"context"
	"fmt"
)

// Role is what somebody may do. Each may do what those before it may, too; the zero Role nothing.
type Role int

// The roles.
const (
	// Viewer sees everything but the audit trail.
	Viewer Role = iota + 1
	// Responder acknowledges, resolves, notes, declares and tries receivers: what brings people in.
	Responder
	// Silencer also makes and ends silences and puts others on call: what keeps people out.
	Silencer
	// Admin also reads the audit trail.
	Admin
)

// Roles are the names of the roles, the least first.
var Roles = []string{"viewer", "responder", "silencer", "admin"}

// String is the role's name; "nobody" for the zero Role.
func (r Role) String() string {
	if r < Viewer || r > Admin {
		return "nobody"
	}
	return Roles[r-1]
}

// UnmarshalText reads a role's name.
func (r *Role) UnmarshalText(text []byte) error {
	for i, name := range Roles {
		if string(text) == name {
			*r = Role(i + 1)
			return nil
		}
	}
	return fmt.Errorf("%q is no role: write viewer, responder, silencer or admin", text)
}

// Identity is who asks.
type Identity struct {
	// Name is what the sign-in says; empty where there is none, and whoever asks says who they are.
	Name string
	Role Role
	// Way is how tocsin knows: Open, "token NAME", "password", "iap", "oidc".
	Way string
	// Claims says that whoever asks may say for whom: of a token nobody knows whose hands it is in.
	Claims bool
}

// Open is the Way of somebody who need not sign in.
const Open = "no sign-in"

// Error is why somebody may not.
type Error struct {
	// Reason is unauthenticated, of somebody who is not known, or forbidden.
	Reason string
	Text   string
}

func (e *Error) Error() string { return e.Text }

// Code is the reason.
func (e *Error) Code() string { return e.Reason }

// The reasons of an Error.
const (
	Unauthenticated = "unauthenticated"
	Forbidden       = "forbidden"
)

// May is the one check: nil if somebody may do what needs a role. The zero need is refused to everybody.
func (i Identity) May(need Role) error {
	switch {
	case need >= Viewer && i.Role >= need:
		return nil
	case i.Way == "":
		return &Error{Unauthenticated, "sign in first"}
	case i.Role == 0:
		return &Error{Forbidden, fmt.Sprintf("you are %s and have no role here: whoever runs tocsin gives one in the configuration's sign_in.roles", i.Name)}
	}
	return &Error{Forbidden, fmt.Sprintf("you are %s, %s here: this needs the role %s", i.Name, i.Role, need)}
}

// Says is the name under which a deed goes of somebody who says that they are claimed: the sign-in's, where there is one. Of a token both are
// told.
func (i Identity) Says(claimed string) string {
	switch {
	case i.Name == "":
		return claimed
	case i.Claims && claimed != "" && claimed != i.Name:
		return claimed + " (" + i.Name + ")"
	}
	return i.Name
}

type key struct{}

// With is a context that carries who asks.
func With(ctx context.Context, i Identity) context.Context { return context.WithValue(ctx, key{}, i) }

// From is who asks; the zero Identity where nobody has been asked for.
func From(ctx context.Context) Identity {
	i, _ := ctx.Value(key{}).(Identity)
	return i
}
