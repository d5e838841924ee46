package notify

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"tidemark/schemas"
	"tidemark/schemas/secret"
)

// Targets are where alerts are told, by the names that rules know them by: the section triggers.targets.
type Targets map[string]*Target

// Target is one of them: exactly one of the kinds is set.
type Target struct {
	Webhook   *Webhook   `yaml:"webhook"`
	Slack     *Slack     `yaml:"slack"`
	PagerDuty *PagerDuty `yaml:"pagerduty"`
	SMTP      *SMTP      `yaml:"smtp"`
	Kafka     *Kafka     `yaml:"kafka"`
	Log       *Log       `yaml:"log"`

	Rate    *Rate         `yaml:"rate"`    // nil: that of the kind
	Timeout time.Duration `yaml:"timeout"` // of one attempt; 0: 15 s
	Allow   []string      `yaml:"allow"`   // networks that are not public and that it may be in nevertheless

	Pos schemas.Pos `yaml:"-"`
}

// Rate is how many messages a target is sent: burst at once, and per_minute in the long run. What is more goes out together, as
// a digest, where the kind of target has digests.
type Rate struct {
	PerMinute int `yaml:"per_minute"` // 0: no limit
	Burst     int `yaml:"burst"`
}

// Webhook is an HTTP endpoint that takes Standard Webhooks.
type Webhook struct {
	URL         secret.Secret   `yaml:"url"`
	URLFile     string          `yaml:"url_file"`
	Secrets     []secret.Secret `yaml:"secrets"` // each signs; the old and the new one during a rotation
	SecretsFile string          `yaml:"secrets_file"`
	HTTP        `yaml:",inline"`
}

// Slack is an incoming webhook of Slack, or of what takes the same: Mattermost, Discord (/slack), Rocket.Chat.
type Slack struct {
	URL     secret.Secret `yaml:"url"`
	URLFile string        `yaml:"url_file"`
	HTTP    `yaml:",inline"`
}

// PagerDuty is a service of PagerDuty, or of what takes its Events API v2.
type PagerDuty struct {
	URL            secret.Secret `yaml:"url"` // unset: PagerDuty's
	RoutingKey     secret.Secret `yaml:"routing_key"`
	RoutingKeyFile string        `yaml:"routing_key_file"`
	HTTP           `yaml:",inline"`
}

// HTTP is what all kinds that speak it have.
type HTTP struct {
	AllowHTTP bool   `yaml:"allow_http"` // plain http:// as well
	CAFile    string `yaml:"ca_file"`    // PEM; empty: the system's authorities
}

// SMTP is people's mailboxes, by way of a mail server.
type SMTP struct {
	Server       string        `yaml:"server"` // host:port
	TLS          string        `yaml:"tls"`    // starttls (the default), implicit or none
	CAFile       string        `yaml:"ca_file"`
	User         string        `yaml:"user"`
	Password     secret.Secret `yaml:"password"`
	PasswordFile string        `yaml:"password_file"`
	From         string        `yaml:"from"`
	To           []string      `yaml:"to"`
}

// Kafka is a topic of the Kafka that the pipeline uses.
type Kafka struct {
	Topic string `yaml:"topic"`
}

// Log is the log of the process.
type Log struct{}

const (
	defaultTimeout = 15 * time.Second // what Standard Webhooks advises at least
	maxTimeout     = time.Minute
)

// DecodeYAML reads the section; file is for errors, which name its line.
func (t *Targets) DecodeYAML(file string, node *yaml.Node) error {
	targets := Targets{}
	if err := schemas.DecodeNode(file, node, &targets); err != nil {
		return err
	}
	*t = targets
	return nil
}

var (
	targetName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,62}$`)
	topicName  = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)
)

// Validate returns all that is wrong with the targets, a line each. It reads the files of secrets, but connects to nothing.
func (t Targets) Validate() error {
	var errs []error
	for name, target := range t.sorted() {
		problem := func(key, format string, args ...any) {
			where := ""
			if target != nil && target.Pos.Line > 0 {
				where = target.Pos.At(key).String() + ": "
			}
			errs = append(errs, fmt.Errorf("%striggers.targets.%s: %w", where, name, fmt.Errorf(format, args...)))
		}
		if !targetName.MatchString(name) {
			problem("", "is no name; use a letter, then letters, digits, _ and -")
		}
		if target == nil {
			problem("", "is empty; give it a webhook, slack, pagerduty, smtp, kafka or log")
			continue
		}
		target.validate(problem)
	}
	return errors.Join(errs...)
}

// sorted iterates by name.
func (t Targets) sorted() func(func(string, *Target) bool) {
	names := make([]string, 0, len(t))
	for name := range t {
		names = append(names, name)
	}
	slices.Sort(names)
	return func(yield func(string, *Target) bool) {
		for _, name := range names {
			if !yield(name, t[name]) {
				return
			}
		}
	}
}

func (t *Target) validate(problem func(key, format string, args ...any)) {
	kinds := t.kinds()
	if len(kinds) != 1 {
		given := "none of them"
		if len(kinds) > 0 {
			given = strings.Join(kinds, " and ")
		}
		problem("", "needs exactly one of webhook, slack, pagerduty, smtp, kafka, log, and has %s", given)
	}
	if t.Rate != nil {
		if t.Rate.PerMinute < 0 || t.Rate.PerMinute > 60_000 {
			problem("rate", "rate.per_minute must be 1 to 60000, or 0 for no limit, not %d", t.Rate.PerMinute)
		}
		if t.Rate.PerMinute > 0 && t.Rate.Burst < 1 {
			problem("rate", "rate.burst must be 1 at least: it is how many messages may go out at once")
		}
	}
	if t.Timeout < 0 || t.Timeout > maxTimeout {
		problem("timeout", "timeout must be at most %s, not %s", maxTimeout, t.Timeout)
	}
	if _, err := t.guard(); err != nil {
		problem("allow", "%w", err)
	}
	for _, kind := range []interface{ problems() []error }{t.Webhook, t.Slack, t.PagerDuty, t.SMTP, t.Kafka} {
		for _, err := range kind.problems() {
			problem("", "%w", err)
		}
	}
}

func (t *Target) kinds() []string {
	var kinds []string
	for _, k := range []struct {
		name string
		set  bool
	}{
		{"webhook", t.Webhook != nil},
		{"slack", t.Slack != nil},
		{"pagerduty", t.PagerDuty != nil},
		{"smtp", t.SMTP != nil},
		{"kafka", t.Kafka != nil},
		{"log", t.Log != nil},
	} {
		if k.set {
			kinds = append(kinds, k.name)
		}
	}
	return kinds
}

// guard is what the target may connect to.
func (t *Target) guard() (guard, error) {
	var g guard
	for _, text := range t.Allow {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return g, fmt.Errorf("allow: %q is no network, such as 10.1.0.0/16", text)
		}
		g.allow = append(g.allow, p.Masked())
	}
	return g, nil
}

// timeout of one attempt.
func (t *Target) timeout() time.Duration {
	if t.Timeout == 0 {
		return defaultTimeout
	}
	return t.Timeout
}

func (w *Webhook) problems() []error {
	if w == nil {
		return nil
	}
	errs := w.checkURL("webhook", w.url())
	secrets, err := w.secrets().all()
	if err != nil {
		errs = append(errs, fmt.Errorf("webhook.%w", err))
	}
	for i, s := range secrets {
		if _, err := signingKey(s); err != nil {
			errs = append(errs, fmt.Errorf("webhook.secrets: number %d %w", i+1, err))
		}
	}
	return errs
}

func (s *Slack) problems() []error {
	if s == nil {
		return nil
	}
	return s.checkURL("slack", s.url())
}

func (p *PagerDuty) problems() []error {
	if p == nil {
		return nil
	}
	errs := p.checkURL("pagerduty", p.url())
	if _, err := p.routingKey().one(); err != nil {
		errs = append(errs, fmt.Errorf("pagerduty.%w", err))
	}
	return errs
}

func (k *Kafka) problems() []error {
	if k != nil && !topicName.MatchString(k.Topic) {
		return []error{fmt.Errorf("kafka.topic: %q is no topic name; use 1 to 249 of the characters a-z A-Z 0-9 . _ -", k.Topic)}
	}
	return nil
}
