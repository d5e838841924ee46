// Package secret holds what no formatter, encoder or logger may show.
package secret

import (
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// redacted is shown in place of a secret that is set.
const redacted = "<secret>"

// Secret is a string that no formatter, encoder or logger shows; only Reveal does. The zero value is an unset secret.
type Secret struct {
	// value is a pointer as fmt reads fields without asking a method where it may not call one (within an unexported
	// field) or doesn't (%p): it then shows an address.
	value *string
}

// New returns a Secret that holds value; an empty one is unset.
func New(value string) Secret {
	if value == "" {
		return Secret{}
	}
	return Secret{&value}
}

// UnmarshalYAML takes a secret that stands in a file as plain text.
func (s *Secret) UnmarshalYAML(node *yaml.Node) error {
	var text string
	if err := node.Decode(&text); err != nil {
		return err
	}
	*s = New(text)
	return nil
}

// Reveal returns the secret itself, to be handed straight to the client that needs it.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsSet says whether the secret is not empty.
func (s Secret) IsSet() bool { return s.value != nil }

// String returns "<secret>", or "" if the secret is unset.
func (s Secret) String() string {
	if s.IsSet() {
		return redacted
	}
	return ""
}

// Format prints String for every verb.
func (s Secret) Format(f fmt.State, verb rune) {
	if verb == 'q' || verb == 'v' && f.Flag('#') {
		fmt.Fprintf(f, "%q", s.String())
		return
	}
	fmt.Fprint(f, s.String())
}

// MarshalText hides the secret from encoders that take text, such as slog's and XML's.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON hides the secret from JSON, and so from zap's reflection.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// MarshalYAML hides the secret from YAML.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }
