package collect

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// stamp adds what the collector knows to the messages of a request: when each
// was received, sent and happened, and an id where the client gave none.
// Everything else stays as sent.
func stamp(messages []*message, received time.Time) *refusal {
	ids := newIDs()
	receivedAt := quoteTime(received)
	for i, m := range messages {
		m.at = correctTime(received, m.original, m.sent)
		if !inWireRange(m.at) {
			return invalid("timestamp", fmt.Sprintf("timestamp corrected by sentAt lies in the year %d: send the times in RFC 3339, from one clock", m.at.Year())).at(i)
		}
		if m.messageID == "" {
			m.messageID = ids.of(m)
			m.body.set("messageId", encodeString(m.messageID))
		}
		m.body.set("receivedAt", receivedAt)
		m.body.set("timestamp", quoteTime(m.at))
	}
	return nil
}

func quoteTime(t time.Time) []byte { return []byte(t.UTC().Format(`"` + wireTime + `"`)) }

// ids makes message ids for messages without one. A message that carries a
// client's time gets an id derived from what was sent, so that a request that
// is repeated after a 503 gets the same ids again and the pipeline's duplicate
// filter sees the repeat. Without any time two equal messages may well be two
// events, so they get random ids.
type ids struct{ seen map[[sha256.Size]byte]int }

func newIDs() *ids { return &ids{seen: map[[sha256.Size]byte]int{}} }

func (g *ids) of(m *message) string {
	if m.original.IsZero() && m.sent.IsZero() {
		return uuid.NewString()
	}
	sum := sha256.Sum256(m.body.encode())
	n := g.seen[sum] // tells apart equal messages of one request
	g.seen[sum] = n + 1
	if n > 0 {
		sum = sha256.Sum256(fmt.Appendf(sum[:], "%d", n))
	}
	return "tm-" + hex.EncodeToString(sum[:16])
}

// withAccount returns the event with context.groupId set to account.
func withAccount(event object, account string) (object, error) {
	var context object
	if event.has("context") {
		var err error
		if context, err = parseObject(event.get("context")); err != nil {
			return nil, fmt.Errorf("context: %w", err)
		}
	}
	context.set("groupId", encodeString(account))
	stamped := append(make(object, 0, len(event)+1), event...)
	stamped.set("context", context.encode())
	return stamped, nil
}

// shortID returns an id that is no longer than a message's may be; the ids of other systems have no such bound.
func shortID(id string) string {
	if utf8.RuneCountInString(id) <= maxMessageID {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return "tm-" + hex.EncodeToString(sum[:16])
}
