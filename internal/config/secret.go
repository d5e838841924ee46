package config

import (
	"encoding/json"
	"fmt"
	"io"
)

// redacted is shown in place of a secret that is set.
const redacted = "<secret>"

// Secret is a string that no formatter, encoder or logger shows; only Reveal does. The zero value is an unset secret.
type Secret struct{ value string }

// NewSecret returns a Secret that holds value.
func NewSecret(value string) Secret { return Secret{value} }

// Reveal returns the secret itself, to be handed straight to the client that needs it.
func (s Secret) Reveal() string { return s.value }

// IsSet says whether the secret is not empty.
func (s Secret) IsSet() bool { return s.value != "" }

// String returns "<secret>", or "" if the secret is unset.
func (s Secret) String() string {
	if s.IsSet() {
		return redacted
	}
	return ""
}

// Format prints String for every verb: %d and %x would otherwise reach the value behind String's back.
func (s Secret) Format(f fmt.State, verb rune) {
	if verb == 'q' || verb == 'v' && f.Flag('#') {
		_, _ = fmt.Fprintf(f, "%q", s.String()) // A fmt.State keeps its own write errors.
		return
	}
	_, _ = io.WriteString(f, s.String())
}

// MarshalText hides the secret from encoders that take text, such as slog's and XML's.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON hides the secret from JSON, and so from zap's reflection.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// MarshalYAML hides the secret from YAML.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }
