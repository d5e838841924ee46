// Package secret holds what no formatter, encoder or logger may show.
package secret

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync/atomic"

	"go.yaml.in/yaml/v3"
)

// redacted is shown in place of a secret that is set.
const redacted = "<secret>"

// Secret is a string that no formatter, encoder or logger shows; only Reveal does. The zero value is an unset secret.
type Secret struct {
	// value is a pointer as fmt reads fields without asking a method where it may not call one (within an unexported
	// field) or doesn't (%p): it then shows an address.
	value *string
	file  *file
}

// file is where a secret is read anew each time.
type file struct {
	name string
	last atomic.Pointer[string] // what was read last
}

// File returns the secret that stands in a file, without the newline at its end, and says if there is none. It is read again
// whenever it is revealed, so that who connects next uses what it was changed to; while it cannot be read, or is empty, the
// last one is used, as files are not always replaced in one step.
func File(name string) (Secret, error) {
	f := &file{name: name}
	if err := f.read(); err != nil {
		return Secret{}, err
	}
	return Secret{file: f}, nil
}

func (f *file) read() error {
	data, err := os.ReadFile(f.name)
	if err != nil {
		return err
	}
	text := strings.TrimRight(string(data), "\r\n")
	if text == "" {
		return fmt.Errorf("%s is empty; write the secret into it", f.name)
	}
	f.last.Store(&text)
	return nil
}

// New returns a Secret that holds value; an empty one is unset.
func New(value string) Secret {
	if value == "" {
		return Secret{}
	}
	return Secret{value: &value}
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
	if s.file != nil {
		_ = s.file.read() // The last one is used.
		return *s.file.last.Load()
	}
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsSet says whether the secret is not empty.
func (s Secret) IsSet() bool { return s.value != nil || s.file != nil }

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
