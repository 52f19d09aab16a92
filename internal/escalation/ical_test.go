package escalation

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ics is a calendar of lines.
func ics(lines ...string) string {
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n" + strings.Join(lines, "\r\n") + "\r\nEND:VCALENDAR\r\n"
}

// vevent is an event of lines.
func vevent(lines ...string) string {
	return "BEGIN:VEVENT\r\n" + strings.Join(lines, "\r\n") + "\r\nEND:VEVENT"
}

// TestCalendars: what is wanted is from the calendar on the wall, not from the code.
func TestCalendars(t *testing.T) {
	for _, test := range []struct {
		name, location, text, from string
		want                       []string
	}{
		{"turns of a week change at nine where the clocks are, in summer too", "", ics(
			vevent("SUMMARY:first", "DTSTART;TZID=America/Los_Angeles:20261123T090000", "DTEND;TZID=America/Los_Angeles:20261130T090000", "RRULE:FREQ=WEEKLY;INTERVAL=2"),
			vevent("SUMMARY:Second", "DTSTART;TZID=America/Los_Angeles:20261130T090000", "DURATION:P7D", "RRULE:FREQ=WEEKLY;INTERVAL=2"),
		), "2027-03-01T00:00:00Z", []string{"[second]", "03-01T17:00 [first]", "03-08T17:00 [second]", "03-15T16:00 [first]", "03-22T16:00 [second]"}},
		{"whole days, where the clocks go back between them", "", ics("X-WR-TIMEZONE:Europe/Berlin",
			vevent("SUMMARY:a", "DTSTART;VALUE=DATE:20261024", "DTEND;VALUE=DATE:20261025", "RRULE:FREQ=DAILY;COUNT=3"),
		), "2026-10-23T00:00:00Z", []string{"[]", "10-23T22:00 [a]", "10-26T23:00 []", "no more"}},
		{"one of the repetitions left out, one moved to somebody else, one cancelled", "", ics(
			vevent("UID:1", "SUMMARY:a", "DTSTART:20261123T090000Z", "DTEND:20261123T170000Z", "RRULE:FREQ=WEEKLY;BYDAY=MO,WE,FR;UNTIL=20261204T235959Z", "EXDATE:20261127T090000Z"),
			vevent("UID:1", "SUMMARY:b", "RECURRENCE-ID:20261130T090000Z", "DTSTART:20261130T120000Z", "DTEND:20261130T140000Z"),
			vevent("UID:1", "RECURRENCE-ID:20261202T090000Z", "STATUS:CANCELLED", "DTSTART:20261202T090000Z"),
		), "2026-11-23T00:00:00Z", []string{
			"[]", "11-23T09:00 [a]", "11-23T17:00 []", "11-25T09:00 [a]", "11-25T17:00 []", "11-30T12:00 [b]", "11-30T14:00 []", "12-04T09:00 [a]", "12-04T17:00 []", "no more",
		}},
		{"the last day of a rule is meant whole", "", ics(
			vevent("SUMMARY:a", "DTSTART:20261123T090000Z", "DTEND:20261123T170000Z", "RRULE:FREQ=DAILY;UNTIL=20261124"),
		), "2026-11-23T10:00:00Z", []string{"[a]", "11-23T17:00 []", "11-24T09:00 [a]", "11-24T17:00 []", "no more"}},
		{"the 29th of February comes in leap years only", "UTC", ics(
			vevent("SUMMARY:a", "DTSTART;VALUE=DATE:20240229", "RRULE:FREQ=YEARLY"),
		), "2027-12-01T00:00:00Z", []string{"[]", "02-29T00:00 [a]", "03-01T00:00 []"}},
		{"two at once are both on call; names on GitHub and addresses will do, lines may be folded, alarms lie within", "Europe/Berlin", ics(
			vevent("SUMMARY:A-on-\r\n GitHub", "DTSTART:20261123T090000", "DTEND:20261123T120000", "BEGIN:VALARM", "SUMMARY:b", "TRIGGER:-PT5M", "END:VALARM"),
			vevent("SUMMARY;LANGUAGE=\"en:US\":c", "DTSTART:20261123T100000", "DTEND:20261123T110000"),
			vevent("SUMMARY:a@example.com", "DTSTART:20261124T100000", "DTEND:20261124T110000"),
		), "2026-11-23T00:00:00Z", []string{"[]", "11-23T08:00 [a]", "11-23T09:00 [a c]", "11-23T10:00 [a]", "11-23T11:00 []", "11-24T09:00 [a]", "11-24T10:00 []"}},
		{"an end in another zone", "", ics(
			vevent("SUMMARY:a", "DTSTART;TZID=Europe/Berlin:20261123T170000", "DTEND;TZID=America/New_York:20261123T170000"),
		), "2026-11-23T00:00:00Z", []string{"[]", "11-23T16:00 [a]", "11-23T22:00 []"}},
		{"who is none of people is nobody", "", ics(
			vevent("SUMMARY:stranger", "DTSTART:20261123T090000Z", "DTEND:20261123T170000Z"),
		), "2026-11-23T00:00:00Z", []string{"[]", "no more"}},
		{"an empty calendar has nobody", "", ics(), "2026-11-23T00:00:00Z", []string{"[]", "no more"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRota(t, Schedule{ICal: &ICal{File: "x"}, Layer: Layer{Location: test.location}})
			with, err := r.Reading([]byte(test.text), at(test.from))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, handovers(with, test.from, len(test.want)-1)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if got := fmt.Sprint(with.Problems()); strings.Contains(test.text, "stranger") != strings.Contains(got, `"stranger" on call from 2026-11-23T09:00:00Z, who is none of people`) {
				t.Errorf("problems %s", got)
			}
		})
	}
}

// TestCalendarMistakes: what cannot be read is an error with its line, never a part that is left out.
func TestCalendarMistakes(t *testing.T) {
	start := "DTSTART:20261123T090000Z"
	for _, test := range []struct{ text, want string }{
		{"<html>sign in</html>", "line 1: it is no calendar"},
		{"", "line 1: it is no calendar: it does not begin with BEGIN:VCALENDAR"},
		{"BEGIN:VCARD\nEND:VCARD", "line 1: it is no calendar: it does not begin"},
		{"BEGIN:VCALENDAR\nBEGIN:VEVENT\n", "line 2: it ends within VEVENT: a part of it is missing"},
		{"BEGIN:VCALENDAR\nEND:VEVENT\n", "line 2: END:VEVENT ends nothing"},
		{"BEGIN:VCALENDAR\nno line\n", "line 2: it is no calendar's line"},
		{"BEGIN:VCALENDAR\nSUMMARY:\xff\n", "line 2: it is not UTF-8"},
		{ics(vevent("SUMMARY:a")), "line 5: the event of line 3 has no DTSTART"},
		{ics(vevent("SUMMARY:a", start)), "line 6: the event of line 3 has no end"},
		{ics(vevent(start, "DTEND:20261123T080000Z")), "line 6: the event of line 3 has no end that is after its start"},
		{ics(vevent("DTSTART:20261123T090000")), "line 4: DTSTART: 20261123T090000 names no time zone"},
		{ics(vevent("DTSTART;VALUE=DATE:20261123")), "line 4: DTSTART: 20261123 names no time zone"},
		{ics(vevent("DTSTART;TZID=Pacific Standard Time:20261123T090000")), `line 4: DTSTART: TZID "Pacific Standard Time" is no time zone`},
		{ics(vevent("DTSTART:20261323T090000Z")), `line 4: DTSTART: "20261323T090000" is no time`},
		{ics(vevent(start, "DURATION:7D")), `line 5: DURATION: "7D" is no duration`},
		{ics(vevent(start, "DURATION:PT")), `line 5: DURATION: "PT" is no duration`},
		{ics(vevent(start, "DURATION:PT1H", "RRULE:FREQ=HOURLY")), `line 6: RRULE: "FREQ=HOURLY" is not known here`},
		{ics(vevent(start, "DURATION:PT1H", "RRULE:FREQ=FORTNIGHTLY")), `line 6: RRULE: "FREQ=FORTNIGHTLY" cannot be read`},
		{ics(vevent(start, "DURATION:PT1H", "RRULE:FREQ=DAILY;BYHOUR=9,10")), `line 6: RRULE: "FREQ=DAILY;BYHOUR=9,10" is not known here`},
		{ics(vevent(start, "RDATE:20261124T090000Z")), "line 5: RDATE is not known here"},
		{ics(vevent(start, "RRULE:FREQ=DAILY", "RRULE:FREQ=WEEKLY")), "line 6: a second RRULE"},
		{ics(vevent("RECURRENCE-ID;RANGE=THISANDFUTURE:20261124T090000Z")), "line 4: RECURRENCE-ID with RANGE"},
		{ics(vevent(start, "EXDATE:20261124T090000Z,tomorrowZ")), `line 5: EXDATE: "tomorrow" is no time`},
	} {
		_, err := newRota(t, Schedule{ICal: &ICal{File: "x"}}).Reading([]byte(test.text), at("2026-11-23T00:00:00Z"))
		if err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%q:\n%v\nwant an error that begins with\n%s", test.text, err, test.want)
		}
	}
	all := ics(vevent("DTSTART:2026-11-24T09:00", "DURATION:7D", "RRULE:FREQ=HOURLY"), vevent("SUMMARY:a"), vevent(start, "nothing", "RDATE:x"), vevent(start, "DURATION:P1D"))
	_, err := ReadCalendar([]byte(all), nil)
	got := fmt.Sprint(err)
	for _, want := range []string{
		`line 4: DTSTART: "2026-11-24T09:00" is no time: write DTSTART:20261124T090000Z, DTSTART;TZID=Europe/Berlin:20261124T090000, or of a whole day DTSTART;VALUE=DATE:20261124`,
		`line 5: DURATION: "7D" is no duration`, `line 6: RRULE: "FREQ=HOURLY" is not known here`,
		"line 10: the event of line 8 has no DTSTART: write when it begins, such as DTSTART;TZID=Europe/Berlin:20261124T090000",
		"line 13: it is no calendar's line", "and 1 more",
	} {
		i := strings.Index(got, want)
		if i < 0 {
			t.Fatalf("not said, or not in its turn: %s\n%v", want, err)
		}
		got = got[i:]
	}
	var mistakes Mistakes
	if !errors.As(err, &mistakes) || len(mistakes) != 6 {
		t.Errorf("%d mistakes, want 6: %v", len(mistakes), err)
	}
	hundred := ics(strings.TrimSuffix(strings.Repeat(vevent("SUMMARY:a")+"\r\n", 100), "\r\n"))
	if _, err = ReadCalendar([]byte(hundred), nil); !errors.As(err, &mistakes) || len(mistakes) != mostMistakes {
		t.Errorf("a hundred mistakes: %d are said", len(mistakes))
	}
	old := ics(strings.TrimSuffix(strings.Repeat(vevent("SUMMARY:a", "DTSTART:19000101T000000Z", "DURATION:P1D", "RRULE:FREQ=DAILY")+"\r\n", 20), "\r\n"))
	if _, err := newRota(t, Schedule{ICal: &ICal{File: "x"}}).Reading([]byte(old), at("2026-11-23T00:00:00Z")); err == nil || !strings.Contains(err.Error(), "let them begin later") {
		t.Errorf("a million repetitions: %v", err)
	}
}

func TestProwOncall(t *testing.T) {
	for _, test := range []struct{ group, body, want string }{
		{"", `{"Oncall": {"testinfra": "a-on-github", "other": "b"}, "Active": {"testinfra": true}}`, "[a]"},
		{"other", `{"Oncall": {"testinfra": "a-on-github", "other": "@B"}}`, "[b]"},
		{"", `{"Oncall": {"testinfra": "a-on-github"}, "Active": {"testinfra": false}}`, "[first]"}, // the layer below
		{"", `{"Oncall": {"testinfra": ""}}`, "[first]"},
		{"", `{"Oncall": {"testinfra": "stranger"}}`, `[first] [oncall.json says that "stranger" is on call`},
		{"", `{"Oncall": {"other": "b"}}`, `its Oncall has no group "testinfra", only other`},
		{"", `<html>`, "it is no oncall.json: invalid character"},
		{"", `[]`, "it is no oncall.json:"},
	} {
		r := newRota(t, Schedule{ProwOncall: &ProwOncall{URL: "https://x/", Group: test.group}, Layer: rotation(days(7), "2026-11-23T00:00:00Z", "", "first")})
		with, err := r.Reading([]byte(test.body), at("2026-11-23T00:00:00Z"))
		got := fmt.Sprint(err)
		if err == nil {
			got = fmt.Sprint(with.OnCall(at("2026-11-24T00:00:00Z")))
			if len(with.Problems()) > 0 {
				got += " " + fmt.Sprint(with.Problems())
			}
		}
		if !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: %s, want %s", test.body, got, test.want)
		}
	}
}

// FuzzCalendar holds that no calendar, however hostile, makes the reader panic or a rota that cannot be asked.
func FuzzCalendar(f *testing.F) {
	f.Add([]byte(ics(vevent("SUMMARY:first", "DTSTART;TZID=America/Los_Angeles:20261123T090000", "DURATION:P7D", "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO", "EXDATE:20261207T170000Z"))))
	f.Add([]byte(ics(vevent("SUMMARY:a", "DTSTART;VALUE=DATE:20240229", "RRULE:FREQ=YEARLY;COUNT=3"))))
	f.Fuzz(func(t *testing.T, data []byte) {
		now := at("2026-11-23T00:00:00Z")
		r := newRota(t, Schedule{ICal: &ICal{File: "x"}, Layer: Layer{Location: "Europe/Berlin"}})
		if with, err := r.Reading(data, now); err == nil {
			if next := with.Next(now); !next.IsZero() && (next.Before(now) || len(with.OnCall(next)) == 0) {
				t.Errorf("the next on call begins at %s, and nobody is then", next)
			}
		}
	})
}
