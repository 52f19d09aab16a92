package sources

import (
	"time"

	"tocsin/internal/setting"
	"tocsin/internal/sources/cloudmetric"
)

// CloudMonitoring is the settings of kind cloud_monitoring; see cloudmetric.Settings.
type CloudMonitoring cloudmetric.Settings

func newCloudMonitoring() *CloudMonitoring {
	s := CloudMonitoring(cloudmetric.Defaults())
	return &s
}

// Validate says everything that is wrong with the settings.
func (s *CloudMonitoring) Validate() []setting.FieldError {
	return (*cloudmetric.Settings)(s).Validate()
}

// New makes the source. It reads the one metric of its filter, whatever the rules want.
func (s *CloudMonitoring) New(name string, env Env) (Source, error) {
	m, err := cloudmetric.New(name, cloudmetric.Settings(*s), cloudmetric.Options{Project: env.Project, Tell: env.Trouble, Log: env.Log, Dial: env.Dial})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Speaks is how often it says at the least that it is well.
func (s *CloudMonitoring) Speaks() time.Duration {
	return max(time.Minute, s.Every.Std()) + s.Every.Std()
}
