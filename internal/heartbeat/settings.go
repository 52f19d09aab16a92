package heartbeat

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"tocsin/internal/setting"
)

// Settings say where the heartbeat goes.
type Settings struct {
	// URL is asked at each beat. Whoever knows it can feign that tocsin lives: it is better kept in a file.
	URL string `yaml:"url"`
	// URLFile is the file that holds the address, read at each beat.
	URLFile string `yaml:"url_file"`
	// Every is the time from one beat to the next.
	Every setting.Duration `yaml:"every"`
	// Timeout bounds one beat.
	Timeout setting.Duration `yaml:"timeout"`
	// Method is POST, with a summary as the body, or GET or HEAD.
	Method string `yaml:"method"`
	// Signals says what the address understands beside a beat: healthchecks, or nothing.
	Signals string `yaml:"signals"`
}

// SignalsHealthchecks is the form of Healthchecks: /start and /fail behind the address.
const SignalsHealthchecks = "healthchecks"

// Defaults are the settings with what holds where nothing is said.
func Defaults() Settings {
	return Settings{Every: setting.Duration(time.Minute), Timeout: setting.Duration(10 * time.Second), Method: "POST"}
}

// Resolve makes the relative path of the address's file begin where the configuration is.
func (s *Settings) Resolve(of func(path string) string) { s.URLFile = of(s.URLFile) }

// Validate says everything that is wrong with the settings.
func (s *Settings) Validate() []setting.FieldError {
	var errs []setting.FieldError
	wrong := func(path, format string, args ...any) {
		errs = append(errs, setting.FieldError{Path: path, Text: fmt.Sprintf(format, args...)})
	}
	switch {
	case s.URL == "" && s.URLFile == "":
		wrong("", "url_file is missing: name the file that holds the address that takes the heartbeat")
	case s.URL != "" && s.URLFile != "":
		wrong("url", "url and url_file exclude each other: keep url_file")
	case s.URL != "":
		if text := badURL(s.URL); text != "" {
			wrong("url", "%s", text)
		}
	}
	if s.Every.Std() < 10*time.Second || s.Every.Std() > 24*time.Hour {
		wrong("every", "%s is not between 10s and 24h", s.Every)
	}
	if s.Timeout <= 0 || s.Timeout.Std() > time.Minute {
		wrong("timeout", "%s is not between 1s and 1m", s.Timeout)
	}
	switch s.Method {
	case "POST", "GET", "HEAD":
	default:
		wrong("method", "%s", setting.Unknown("method", s.Method, []string{"GET", "HEAD", "POST"}))
	}
	if s.Signals != "" && s.Signals != SignalsHealthchecks {
		wrong("signals", "%s", setting.Unknown("form of signals", s.Signals, []string{SignalsHealthchecks}))
	}
	return errs
}

// badURL says what is wrong with an address, without repeating it; "" for nothing.
func badURL(text string) string {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return "it is no address: write it whole, such as https://hc-ping.com/..."
	}
	return ""
}
