package notify

import (
	"context"
	"net/http"
	"strconv"
	"time"
)

func (w *Webhook) url() credential     { return newCredential("url", w.URLFile, w.URL) }
func (w *Webhook) secrets() credential { return newCredential("secrets", w.SecretsFile, w.Secrets...) }

// webhookDigest leaves a digest below the 20 kB that Standard Webhooks sets for a body.
var webhookDigest = digestLimit{members: 1000, bytes: 16 << 10}

// webhook sends messages as Standard Webhooks.
type webhook struct {
	*poster
	secrets credential
	now     func() time.Time // for the timestamp that is signed
}

func (w *webhook) send(ctx context.Context, m *Message) Result {
	body, err := m.Body()
	if err != nil {
		return Result{Outcome: Rejected, Detail: err.Error()}
	}
	secrets, err := w.secrets.all()
	if err != nil {
		return Result{Outcome: Unable, Detail: err.Error()}
	}
	now := w.now()
	signed, err := signature(secrets, m.ID, now, body)
	if err != nil {
		return Result{Outcome: Unable, Detail: err.Error()}
	}
	header := http.Header{}
	header.Set("Webhook-Id", m.ID)
	header.Set("Webhook-Timestamp", strconv.FormatInt(now.Unix(), 10))
	header.Set("Webhook-Signature", signed)
	return w.post(ctx, body, header)
}
