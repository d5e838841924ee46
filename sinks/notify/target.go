package notify

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
)

// sender is a kind of target.
type sender interface {
	// send sends a message, once.
	send(ctx context.Context, m *Message) Result
	close()
}

// surroundings is what targets share.
type surroundings struct {
	kafka []kgo.Opt
	log   *zap.Logger
	now   func() time.Time
}

// open returns the sender of a valid target, how many messages it is sent, and how digests are made for it.
func (t *Target) open(s surroundings) (sender, Rate, digestLimit, error) {
	send, rate, digest, err := t.openKind(s)
	if t.Rate != nil {
		rate = *t.Rate
	}
	return send, rate, digest, err
}

// Rates of kinds whose target says none. People read a message a minute at most; PagerDuty takes 120 a minute.
var (
	machineRate   = Rate{PerMinute: 60, Burst: 30}
	peopleRate    = Rate{PerMinute: 4, Burst: 8}
	pagerDutyRate = Rate{PerMinute: 100, Burst: 30}
	noRate        = Rate{}
)

func (t *Target) openKind(s surroundings) (sender, Rate, digestLimit, error) {
	g, err := t.guard()
	if err != nil {
		return nil, noRate, oneByOne, err
	}
	switch {
	case t.Webhook != nil:
		p, err := newPoster(t.Webhook.url(), t.Webhook.HTTP, g, t.timeout())
		return &webhook{p, t.Webhook.secrets(), s.now}, machineRate, webhookDigest, err
	case t.Slack != nil:
		p, err := newPoster(t.Slack.url(), t.Slack.HTTP, g, t.timeout())
		return &slack{p}, peopleRate, peopleDigest, err
	case t.PagerDuty != nil:
		p, err := newPoster(t.PagerDuty.url(), t.PagerDuty.HTTP, g, t.timeout())
		return &pagerDuty{p, t.PagerDuty.routingKey()}, pagerDutyRate, oneByOne, err
	case t.SMTP != nil:
		m, err := newMail(t.SMTP, g, s.now)
		return m, peopleRate, peopleDigest, err
	case t.Kafka != nil:
		k, err := newTopic(t.Kafka.Topic, s.kafka)
		return k, noRate, oneByOne, err
	case t.Log != nil:
		return &logger{s.log}, noRate, oneByOne, nil
	default:
		return nil, noRate, oneByOne, fmt.Errorf("it has no kind")
	}
}
