package mapping

import (
	"embed"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"tidemark/schemas"
	"tidemark/schemas/secret"
)

//go:embed delighted.yaml intercom.yaml jira.yaml surveymonkey.yaml typeform.yaml zendesk.yaml
var vendors embed.FS

// Vendors are the kinds of sources whose mapping need not be declared.
var Vendors = []string{"delighted", "intercom", "jira", "surveymonkey", "typeform", "zendesk"}

// Sources are the webhooks that are taken, by name: NAME is posted to /v1/webhooks/NAME.
type Sources map[string]*Source

// Source is one of them.
type Source struct {
	schemas.Pos `yaml:"-"`
	Kind        string            `yaml:"kind"`        // a vendor, or mapping
	Secret      secret.Secret     `yaml:"secret"`      // that the vendor signs with; none: the request needs a write key
	SecretFile  string            `yaml:"secret_file"` // a file that holds it
	Tolerance   time.Duration     `yaml:"tolerance"`   // how far a signed time may be from ours; default an hour
	Accounts    string            `yaml:"accounts"`    // which external_ids of accounts name its organisations; default the source's name
	Signature   *Signature        `yaml:"signature"`   // how it signs
	Priorities  map[string]string `yaml:"priorities"`  // its priorities as p1 to p4
	Statuses    map[string]string `yaml:"statuses"`    // its states as new, open, pending, hold, solved or closed
	Groups      map[string]string `yaml:"groups"`      // its groups, by id, as escalation groups are called
	Events      []*Rule           `yaml:"events"`      // what becomes of a webhook: every rule whose conditions hold makes an event
}

// Signature is how a webhook is signed: an HMAC of its body, encoded into a header.
type Signature struct {
	schemas.Pos     `yaml:"-"`
	Header          string `yaml:"header"`
	Algorithm       string `yaml:"algorithm"`        // sha256 or sha1
	Encoding        string `yaml:"encoding"`         // hex or base64
	Prefix          string `yaml:"prefix"`           // before the digest, such as sha256=
	TimestampHeader string `yaml:"timestamp_header"` // when it was signed; its text stands before the body, also in what is signed
	Separator       string `yaml:"separator"`        // between the two
}

// Rule makes one event of a webhook or a record: a ticket's, an answer to a survey, a product event, or what is known of an account.
type Rule struct {
	schemas.Pos `yaml:"-"`
	When        map[string]texts `yaml:"when"`   // paths, and what must be found there, whatever its case; * is anything
	Unless      map[string]texts `yaml:"unless"` // and what must not
	Ticket      map[string]Value `yaml:"ticket"`
	Survey      map[string]Value `yaml:"survey"`
	Event       map[string]Value `yaml:"event"`
	Account     map[string]Value `yaml:"account"`

	when, unless []condition
}

type condition struct {
	path Path
	any  []string
}

// texts is one text or a list.
type texts []string

// UnmarshalYAML takes both.
func (t *texts) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		*t = texts{node.Value}
		return nil
	}
	return node.Decode((*[]string)(t))
}

// The fields of events, and those that say whose they are: organization is the vendor's id of the customer, user our own user.
var (
	ticketFields = []string{"ticket_id", "kind", "occurred_at", "from", "to", "priority", "status", "channel", "tags", "requester_id", "source_event_id", "account_id", "organization", "user"}
	surveyFields = []string{"survey_id", "response_id", "kind", "score", "scale_min", "scale_max", "comment", "responded_at", "user_id", "account_id", "organization"}
	eventFields  = []string{"name", "occurred_at", "message_id", "user_id", "anonymous_id", "account_id", "organization", "properties"}
	ticketNeeds  = []string{"ticket_id", "kind", "occurred_at"}
	surveyNeeds  = []string{"survey_id", "kind", "score", "responded_at"}
	ticketKinds  = []string{"created", "replied_customer", "replied_agent", "status", "priority", "assignment", "tag", "sla_breach", "csat", "reopened", "solved", "merged", "deleted"}
	surveyKinds  = []string{"nps", "csat", "ces"}
)

var sourceName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)

// DecodeYAML reads the section; file is for errors, which begin with file and line.
func (s *Sources) DecodeYAML(file string, node *yaml.Node) error {
	sources := Sources{}
	if err := schemas.DecodeNode(file, node, &sources); err != nil {
		return err
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		source := sources[name]
		if source == nil {
			errs = append(errs, fmt.Errorf("%s:%d: collector.sources.%s is empty; give it a kind", file, node.Line, name))
			continue
		}
		if !sourceName.MatchString(name) {
			errs = append(errs, fmt.Errorf("%s: %q is no name of a source; use a-z, 0-9, _ and -, a letter first", source.Pos, name))
		}
		errs = append(errs, source.complete(name))
	}
	*s = sources
	return errors.Join(errs...)
}

// complete checks the source, reads its secret and fills in what its vendor's mapping says.
func (s *Source) complete(name string) error {
	if s.Kind != "mapping" {
		if !slices.Contains(Vendors, s.Kind) {
			return fmt.Errorf("%s: kind %q is unknown%s", s.At("kind"), s.Kind, schemas.Suggest(s.Kind, append(slices.Clone(Vendors), "mapping")))
		}
		if err := s.inherit(); err != nil {
			return err
		}
	}
	if s.Accounts == "" {
		s.Accounts = name
	}
	if s.Tolerance == 0 {
		s.Tolerance = time.Hour
	}
	var errs []error
	problem := func(pos schemas.Pos, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %w", pos, fmt.Errorf(format, args...)))
	}
	if s.SecretFile != "" {
		content, err := os.ReadFile(s.SecretFile)
		text := strings.TrimSpace(string(content))
		switch {
		case err != nil:
			problem(s.At("secret_file"), "%w", err)
		case text == "":
			problem(s.At("secret_file"), "%s is empty; write the secret into it", s.SecretFile)
		case s.Secret.IsSet():
			problem(s.At("secret_file"), "secret and secret_file are both set; keep one")
		}
		s.Secret = secret.New(text)
	}
	if s.Tolerance < 0 {
		problem(s.At("tolerance"), "tolerance must not be negative")
	}
	if s.Secret.IsSet() && s.Signature == nil {
		problem(s.Pos, "a secret is set but no signature; say how the webhook is signed, or remove the secret")
	}
	if s.Signature != nil {
		errs = append(errs, s.Signature.check())
	}
	if len(s.Events) == 0 {
		problem(s.Pos, "no events are declared; say under events what becomes of a webhook")
	}
	for _, r := range s.Events {
		errs = append(errs, r.compile())
	}
	return errors.Join(errs...)
}

// inherit fills in from the vendor's own mapping what this source does not say.
func (s *Source) inherit() error {
	file := s.Kind + ".yaml"
	data, err := vendors.ReadFile(file)
	if err != nil {
		return err
	}
	var base Source
	if err := schemas.DecodeStrict(file, data, &base); err != nil {
		return err
	}
	s.Priorities, s.Statuses = merged(base.Priorities, s.Priorities), merged(base.Statuses, s.Statuses)
	if s.Signature == nil {
		s.Signature = base.Signature
	}
	if len(s.Events) == 0 {
		s.Events = base.Events
	}
	return nil
}

func merged(under, over map[string]string) map[string]string {
	all := map[string]string{}
	for _, m := range []map[string]string{under, over} {
		for k, v := range m {
			all[strings.ToLower(k)] = v
		}
	}
	return all
}

func (g *Signature) check() error {
	var errs []error
	if g.Header == "" {
		errs = append(errs, fmt.Errorf("%s: header is missing; name the header that holds the signature", g.Pos))
	}
	if !slices.Contains([]string{"sha256", "sha1"}, g.Algorithm) {
		errs = append(errs, fmt.Errorf("%s: algorithm %q is unknown; choose sha256 or sha1", g.At("algorithm"), g.Algorithm))
	}
	if !slices.Contains([]string{"hex", "base64"}, g.Encoding) {
		errs = append(errs, fmt.Errorf("%s: encoding %q is unknown; choose hex or base64", g.At("encoding"), g.Encoding))
	}
	return errors.Join(errs...)
}

// compile checks a rule.
func (r *Rule) compile() error {
	var errs []error
	for _, side := range []struct {
		from map[string]texts
		into *[]condition
	}{{r.When, &r.when}, {r.Unless, &r.unless}} {
		*side.into = nil
		for _, path := range slices.Sorted(maps.Keys(side.from)) {
			p, err := ParsePath(path)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", r.At("when"), err))
			}
			*side.into = append(*side.into, condition{p, side.from[path]})
		}
	}
	if r.role() == "" {
		return errors.Join(append(errs, fmt.Errorf("%s: an event is one of ticket, survey, event and account; declare one of them", r.Pos))...)
	}
	return errors.Join(append(errs, r.checkFields())...)
}

// form is what the event of a role has: how its declaration is called, its fields, what is needed of them, and its kinds.
type form struct {
	name          string
	known, needed []string
	kinds         []string
	prefix        string // fields that begin with it are free; empty = none
}

func (f form) article() string {
	if strings.HasPrefix(f.name, "e") || strings.HasPrefix(f.name, "a") {
		return "an " + f.name
	}
	return "a " + f.name
}

var forms = map[string]form{
	Tickets:   {name: "ticket", known: ticketFields, needed: ticketNeeds, kinds: ticketKinds},
	Signals:   {name: "survey", known: surveyFields, needed: surveyNeeds, kinds: surveyKinds},
	Telemetry: {name: "event", known: eventFields, needed: []string{"name"}, prefix: "properties."},
	Accounts:  {name: "account", needed: []string{"account_id"}}, // others are attributes
}

// role is what the rule makes, "" when that is not said, or said twice.
func (r *Rule) role() string {
	role, said := "", 0
	for _, of := range []struct {
		role   string
		fields map[string]Value
	}{{Tickets, r.Ticket}, {Signals, r.Survey}, {Telemetry, r.Event}, {Accounts, r.Account}} {
		if of.fields != nil {
			role = of.role
			said++
		}
	}
	if said != 1 {
		return ""
	}
	return role
}

func (r *Rule) fields() map[string]Value {
	return map[string]map[string]Value{Tickets: r.Ticket, Signals: r.Survey, Telemetry: r.Event, Accounts: r.Account}[r.role()]
}

func (r *Rule) checkFields() error {
	var errs []error
	f, fields := forms[r.role()], r.fields()
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		free := f.known == nil || f.prefix != "" && strings.HasPrefix(name, f.prefix)
		if !free && !slices.Contains(f.known, name) {
			errs = append(errs, fmt.Errorf("%s: %s has no field %q%s", r.At(f.name), f.article(), name, schemas.Suggest(name, f.known)))
		}
	}
	for _, name := range f.needed {
		if !fields[name].isSet() {
			errs = append(errs, fmt.Errorf("%s: %s needs %s", r.At(f.name), f.article(), name))
		}
	}
	if kind, ok := fields["kind"].literal(); ok && f.kinds != nil && !slices.Contains(f.kinds, kind) {
		errs = append(errs, fmt.Errorf("%s: kind %q is unknown%s", r.At(f.name), kind, schemas.Suggest(kind, f.kinds)))
	}
	return errors.Join(errs...)
}
