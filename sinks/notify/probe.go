package notify

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
)

// Probe sends one made-up alert to a target, outside of the outbox, and returns its webhook-id and what came of it.
func Probe(ctx context.Context, name string, target *Target, kafka []kgo.Opt, log *zap.Logger, now time.Time) (id string, r Result, err error) {
	s, _, _, err := target.open(surroundings{kafka: kafka, log: log, now: func() time.Time { return now }})
	if err != nil {
		return "", Result{}, fmt.Errorf("triggers.targets.%s: %w", name, err)
	}
	defer s.close()
	payload, err := json.Marshal(map[string]any{
		"description": "A test by tidemark triggers send-test: no account is concerned.", "value": 1, "threshold": 1, "final": true,
	})
	if err != nil {
		return "", Result{}, err
	}
	id = "test_" + rand.Text()
	ctx, cancel := context.WithTimeout(ctx, target.timeout())
	defer cancel()
	return id, s.send(ctx, &Message{ID: id, Notifications: []Notification{{
		ID: id, AlertID: id, Seq: 1, Kind: Fired, Rule: "test", Account: "_test", Severity: "info", At: now, KnownAt: now, Payload: payload,
	}}}), nil
}
