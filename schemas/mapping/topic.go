package mapping

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"

	"tidemark/schemas"
)

// Formats are the forms that the records of a topic may have. The last three need a schema registry.
var Formats = []string{"json", "cloudevents", "debezium", "avro", "protobuf", "json_schema"}

// roles are what a topic's records may be, once they are decoded.
var roles = []string{Telemetry, Tickets, Signals, Accounts}

// Topics are the raw topics that are normalised, by name.
type Topics map[string]*Topic

// Topic is one of them: how its records are encoded, and what becomes of them: records of a canonical topic as they are, or
// events by rules.
type Topic struct {
	schemas.Pos `yaml:"-"`
	Format      string            `yaml:"format"`
	To          string            `yaml:"to"`       // telemetry, tickets, signals or accounts: what the records are already, but for their format
	Kind        string            `yaml:"kind"`     // a vendor whose mapping is built in
	Accounts    string            `yaml:"accounts"` // which external_ids of accounts name its organisations; default the topic's name
	Priorities  map[string]string `yaml:"priorities"`
	Statuses    map[string]string `yaml:"statuses"`
	Groups      map[string]string `yaml:"groups"`
	Events      []*Rule           `yaml:"events"`

	source *Source // of the rules; nil when To is set
}

// DecodeYAML reads the section; file is for errors, which begin with file and line.
func (t *Topics) DecodeYAML(file string, node *yaml.Node) error {
	topics := Topics{}
	if err := schemas.DecodeNode(file, node, &topics); err != nil {
		return err
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(topics)) {
		if topics[name] == nil {
			errs = append(errs, fmt.Errorf("%s:%d: normalise.topics.%s is empty; give it a format", file, node.Line, name))
			continue
		}
		errs = append(errs, topics[name].complete(name))
	}
	*t = topics
	return errors.Join(errs...)
}

// Registered says whether the topic's records name schemas of a registry.
func (t *Topic) Registered() bool {
	return slices.Index(Formats, t.Format) >= slices.Index(Formats, "avro")
}

func (t *Topic) complete(name string) error {
	if !slices.Contains(Formats, t.Format) {
		return fmt.Errorf("%s: format %q is unknown%s", t.At("format"), t.Format, schemas.Suggest(t.Format, Formats))
	}
	rules := len(t.Events) > 0 || t.Kind != ""
	if t.To == "" && !rules {
		t.To = map[string]string{"cloudevents": Telemetry, "debezium": Accounts}[t.Format]
	}
	switch {
	case rules && t.To != "":
		return fmt.Errorf("%s: to and events are both set; records either are %s already, or become events by rules: keep one", t.At("to"), t.To)
	case !rules && t.To == "":
		return fmt.Errorf("%s: neither to nor events is set; say what the records are (to: tickets) or what becomes of them (events)", t.Pos)
	case !rules && !slices.Contains(roles, t.To):
		return fmt.Errorf("%s: to %q is unknown%s", t.At("to"), t.To, schemas.Suggest(t.To, roles))
	case !rules && t.Format == "cloudevents" && t.To != Telemetry:
		return fmt.Errorf("%s: CloudEvents are telemetry; to make %s of them, say how under events", t.At("to"), t.To)
	case !rules && t.Format == "debezium" && t.To != Accounts:
		return fmt.Errorf("%s: rows are accounts; to make %s of them, say how under events", t.At("to"), t.To)
	case !rules:
		return nil
	}
	t.source = &Source{
		Pos: t.Pos, Kind: t.Kind, Accounts: t.Accounts, Priorities: t.Priorities, Statuses: t.Statuses, Groups: t.Groups, Events: t.Events,
	}
	if t.Kind == "" {
		t.source.Kind = "mapping"
	}
	return t.source.complete(name)
}

// Apply returns the events that the rules make of a document, which is what json.Decoder makes of JSON with UseNumber. name is the
// topic's, position the id of an event that has none of its own.
func (t *Topic) Apply(name string, document any, position string) ([]Event, error) {
	return t.source.apply(name, document, position)
}
