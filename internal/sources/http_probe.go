package sources

import (
	"time"

	"tocsin/internal/setting"
	"tocsin/internal/sources/probe"
)

// HTTPProbe is the settings of kind http_probe; see probe.Settings.
type HTTPProbe probe.Settings

func newHTTPProbe() *HTTPProbe {
	s := HTTPProbe(probe.Defaults())
	return &s
}

// Resolve makes the relative path of the ping's secret begin where the configuration is.
func (s *HTTPProbe) Resolve(of func(path string) string) {
	if s.Ping != nil {
		s.Ping.SecretFile = of(s.Ping.SecretFile)
	}
}

// Validate says everything that is wrong with the settings.
func (s *HTTPProbe) Validate() []setting.FieldError { return (*probe.Settings)(s).Validate() }

// New makes the source.
func (s *HTTPProbe) New(name string, env Env) (Source, error) {
	p, err := probe.New(name, env.Project, probe.Settings(*s), env.Transport, env.tell)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Speaks is how often it says at the least that it is well.
func (s *HTTPProbe) Speaks() time.Duration { return s.Every.Std() + s.Timeout.Std() }
