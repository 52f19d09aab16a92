package config

import (
	"fmt"
	"net/mail"
	"regexp"
	"strings"

	"tocsin/internal/setting"
)

// Person says how somebody is reached. Each is that of the provider: Slack's user id (U...), a name on GitHub, an address, a
// topic, PagerDuty's user id (P...).
type Person struct {
	Slack     string `yaml:"slack"`
	GitHub    string `yaml:"github"`
	Email     string `yaml:"email"`
	Ntfy      string `yaml:"ntfy"`
	PagerDuty string `yaml:"pagerduty"`
}

// The forms that the providers give their names. GitHub's managed users have an underscore before their company's.
var (
	slackID     = regexp.MustCompile(`^[UW][A-Z0-9]+$`)
	pagerDutyID = regexp.MustCompile(`^P[A-Z0-9]+$`)
	githubName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,38}$`)
	ntfyTopic   = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
)

// Validate says that somebody cannot be reached, or not by what is written.
func (p Person) Validate() []setting.FieldError {
	if p == (Person{}) {
		return []setting.FieldError{{Text: "cannot be reached: write at least one of slack, github, email, ntfy, pagerduty"}}
	}
	var errs []setting.FieldError
	for _, each := range []struct {
		key, value, want string
		right            func(string) bool
	}{
		{"slack", p.Slack, "is no user id of Slack: write that of the person's profile (Copy member ID), such as U0000001", slackID.MatchString},
		{"github", p.GitHub, "is no name on GitHub: write it without @, such as octocat", githubName.MatchString},
		{"email", p.Email, "is no address: write it as ana@example.com", isAddress},
		{"ntfy", p.Ntfy, "is no topic of ntfy: write letters, digits, - and _, 64 at most", ntfyTopic.MatchString},
		{"pagerduty", p.PagerDuty, "is no user id of PagerDuty: write the end of the address of the person's profile, such as P000001", pagerDutyID.MatchString},
	} {
		if each.value != "" && !each.right(each.value) {
			errs = append(errs, setting.FieldError{Path: each.key, Text: fmt.Sprintf("%q %s", bounded(each.value), each.want)})
		}
	}
	return errs
}

// onePersonEach says which ids stand for two people: nobody could say who of them acts.
func onePersonEach(people map[string]Person) []setting.FieldError {
	var errs []setting.FieldError
	whose := map[string]string{}
	for _, name := range sortedKeys(people) {
		for _, each := range [][2]string{{"slack", people[name].Slack}, {"pagerduty", people[name].PagerDuty}} {
			key, id := each[0], each[1]
			if other := whose[key+" "+id]; id != "" && other != "" {
				errs = append(errs, setting.FieldError{Path: "people." + name + "." + key, Text: fmt.Sprintf("%q is that of people.%s too: nobody could say who of the two acts", bounded(id), other)})
				continue
			}
			whose[key+" "+id] = name
		}
	}
	return errs
}

func isAddress(text string) bool {
	a, err := mail.ParseAddress(text)
	return err == nil && a.Address == text && !strings.ContainsAny(text, " \t<>")
}
