// Package access declares who may send what to the collector, and what of it is kept.
package access

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"tidemark/schemas"
	"tidemark/schemas/secret"
)

// Routes are what a key's and a policy's sources may name beside the webhooks of the configuration: the kinds of clients. Parked is
// the list of events that wait, which is read.
var Routes = []string{"segment", "posthog", "cloudevents", "opentelemetry", "signals", "accounts", "parked"}

// Types are the calls that a key may be limited to, as Segment names them; events of other clients become one of them too.
var Types = []string{"track", "identify", "group", "page", "screen", "alias"}

// Keys are write keys with a scope, by name.
type Keys map[string]*Key

// Key is one of them: one secret, or several at once while it is rotated.
type Key struct {
	schemas.Pos `yaml:"-"`
	Secret      secret.Secret `yaml:"secret"`
	SecretFile  string        `yaml:"secret_file"` // one secret a line; read again when it changes
	Sources     []string      `yaml:"sources"`     // that it may send to: routes and names of webhooks; none = all but parked
	Types       []string      `yaml:"types"`       // of calls that it may send; none = all
	Rate        Rate          `yaml:"rate"`
}

// Rate limits the events of a key: PerSecond of them on average, Burst at once. A request takes as many as it has events, but never more than
// Burst, so that each has its turn. Zero means no limit.
type Rate struct {
	PerSecond float64 `yaml:"per_second"`
	Burst     int     `yaml:"burst"`
}

var keyName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)

// DecodeYAML reads the section; file is for errors, which begin with file and line.
func (k *Keys) DecodeYAML(file string, node *yaml.Node) error {
	keys := Keys{}
	if err := schemas.DecodeNode(file, node, &keys); err != nil {
		return err
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		if keys[name] == nil {
			errs = append(errs, fmt.Errorf("%s:%d: collector.keys.%s is empty; give it a secret_file", file, node.Line, name))
			continue
		}
		if !keyName.MatchString(name) {
			errs = append(errs, fmt.Errorf("%s: %q is no name of a key; use a-z, 0-9, _ and -, a letter first", keys[name].Pos, name))
		}
		errs = append(errs, keys[name].check())
	}
	*k = keys
	return errors.Join(errs...)
}

func (k *Key) check() error {
	var errs []error
	problem := func(at, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %w", k.At(at), fmt.Errorf(format, args...)))
	}
	if k.Secret.IsSet() == (k.SecretFile != "") {
		problem("secret", "a key needs either secret_file, with one secret a line, or secret")
	} else if _, err := k.Secrets(); err != nil {
		problem("secret_file", "%w", err)
	}
	for _, t := range k.Types {
		if !slices.Contains(Types, t) {
			problem("types", "type %q is unknown%s", t, schemas.Suggest(t, Types))
		}
	}
	if k.Rate.PerSecond < 0 || k.Rate.Burst < 0 || (k.Rate.PerSecond == 0) != (k.Rate.Burst == 0) {
		problem("rate", "rate needs per_second and burst, both above 0, or neither")
	}
	return errors.Join(errs...)
}

// Secrets returns every secret that is accepted now; the file is read each time.
func (k *Key) Secrets() ([]string, error) {
	if k.SecretFile == "" {
		return []string{k.Secret.Reveal()}, nil
	}
	content, err := os.ReadFile(k.SecretFile)
	if err != nil {
		return nil, err
	}
	secrets := strings.Fields(string(content))
	if len(secrets) == 0 {
		return nil, fmt.Errorf("%s is empty; write a secret into it, one a line", k.SecretFile)
	}
	return secrets, nil
}

// known refuses names of sources that nothing sends to.
func known(pos schemas.Pos, names, webhooks []string) error {
	all := append(slices.Clone(Routes), webhooks...)
	var errs []error
	for _, name := range names {
		if !slices.Contains(all, name) {
			errs = append(errs, fmt.Errorf("%s: source %q is unknown%s", pos, name, schemas.Suggest(name, all)))
		}
	}
	return errors.Join(errs...)
}

// Check refuses keys for sources that there are not; webhooks are the names of those of the configuration.
func (k Keys) Check(webhooks []string) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(k)) {
		if k[name] != nil {
			errs = append(errs, known(k[name].At("sources"), k[name].Sources, webhooks))
		}
	}
	return errors.Join(errs...)
}
