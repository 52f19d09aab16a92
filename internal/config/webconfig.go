package config

import (
	cryptotls "crypto/tls"
	"fmt"
	"path/filepath"
	"strings"

	toolkit "github.com/prometheus/exporter-toolkit/web"
	"golang.org/x/crypto/bcrypt"
	"gopkg.in/yaml.v3"
)

// WebConfig is what a web_config file holds.
type WebConfig struct {
	// Users are names with the bcrypt hashes of their passwords.
	Users map[string]string
	// TLS is nil where the file names no certificate. It reads the certificate anew for each connection.
	TLS *cryptotls.Config
}

// ReadWebConfig reads a file in the form of Prometheus' exporter-toolkit. What tocsin does not do (headers, rate limits) is refused.
func ReadWebConfig(path string) (WebConfig, error) {
	var out WebConfig
	data, err := ReadFile(path)
	if err != nil {
		return out, fmt.Errorf("%s %w", path, err)
	}
	c := toolkit.Config{TLSConfig: toolkit.TLSConfig{MinVersion: cryptotls.VersionTLS12, MaxVersion: cryptotls.VersionTLS13}}
	dec := yaml.NewDecoder(strings.NewReader(string(data)))
	dec.KnownFields(true)
	if err := dec.Decode(&c); err != nil {
		return out, fmt.Errorf("read %s: %w", path, err)
	}
	if len(c.HTTPConfig.Header) > 0 || c.RateLimiterConfig != (toolkit.RateLimiterConfig{}) {
		return out, fmt.Errorf("read %s: http_server_config.headers and rate_limit have no meaning here: remove them", path)
	}
	for name, hash := range c.Users {
		if _, err := bcrypt.Cost([]byte(hash)); err != nil {
			return out, fmt.Errorf("read %s: what stands for the password of %s is no bcrypt hash: write what `htpasswd -nBC 12 \"\"` says", path, name)
		}
		if out.Users == nil {
			out.Users = map[string]string{}
		}
		out.Users[name] = string(hash)
	}
	if c.TLSConfig.IsEnabled() {
		c.TLSConfig.SetDirectory(filepath.Dir(path))
		if out.TLS, err = toolkit.ConfigToTLSConfig(&c.TLSConfig); err != nil {
			return out, fmt.Errorf("read %s: %w", path, err)
		}
	}
	return out, nil
}
