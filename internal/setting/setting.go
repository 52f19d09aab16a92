// Package setting holds the nouns of settings that every kind of source, detector and notifier uses: what is wrong with a
// field, a duration, a secret. It knows no file format: config decodes into it.
package setting

import (
	"bytes"
	"fmt"
	"os"
)

// FieldError is one thing that is wrong with a setting. Path leads to it from the settings it was found in, names and
// list indexes joined by dots ("healthy.1"); empty means the settings as a whole. Text says what is wrong and what would be
// right.
type FieldError struct {
	Path string
	Text string
}

// Error makes a FieldError an error.
func (e FieldError) Error() string {
	if e.Path == "" {
		return e.Text
	}
	return e.Path + ": " + e.Text
}

// Secret is a value that must never be printed: every way to print it writes <secret>.
type Secret string

// String hides the secret.
func (Secret) String() string { return "<secret>" }

// GoString hides the secret from %#v.
func (Secret) GoString() string { return "<secret>" }

// MarshalText hides the secret from JSON and YAML.
func (Secret) MarshalText() ([]byte, error) { return []byte("<secret>"), nil }

// Reveal is the secret itself, for the one place that sends it.
func (s Secret) Reveal() string { return string(s) }

// ReadSecret reads a secret from the file that holds it, without the white space around it. An empty file is an error. It
// is read anew at each use, so that a rotated secret needs no restart.
func ReadSecret(path string) (Secret, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	b = bytes.TrimSpace(b)
	if len(b) == 0 {
		return "", fmt.Errorf("read secret: %s is empty", path)
	}
	return Secret(b), nil
}
