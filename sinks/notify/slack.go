package notify

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
)

func (s *Slack) url() credential { return newCredential("url", s.URLFile, s.URL) }

// peopleDigest is that of targets that show the beginning of a digest.
var peopleDigest = digestLimit{members: 1000, bytes: 1 << 30}

// slack sends messages as Slack's incoming webhooks take them.
type slack struct{ *poster }

// slackText is the longest text that is sent: a block takes 3000 characters.
const slackText = 2900

type slackPayload struct {
	Text   string       `json:"text"` // for notifications, and for what shows no blocks
	Blocks []slackBlock `json:"blocks"`
}

type slackBlock struct {
	Type string        `json:"type"`
	Text *slackContent `json:"text"`
}

type slackContent struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

// slackEscape keeps an account's name from being markup, such as <!channel>.
var slackEscape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

func (s *slack) send(ctx context.Context, m *Message) Result {
	subject := slackEscape.Replace(m.Subject())
	block := func(text string) slackBlock {
		return slackBlock{"section", &slackContent{"mrkdwn", cut(text, slackText)}}
	}
	p := slackPayload{Text: cut(subject, slackText), Blocks: []slackBlock{block("*" + cut(subject, slackText-2) + "*")}}
	if lines := m.Lines(); len(lines) > 0 {
		p.Blocks = append(p.Blocks, block(slackEscape.Replace(strings.Join(lines, "\n"))))
	}
	body, err := json.Marshal(p)
	if err != nil {
		return Result{Outcome: Rejected, Detail: err.Error()}
	}
	return rejects(s.post(ctx, body, nil), http.StatusBadRequest)
}

// rejects turns the failure of the status into one that trying again does not mend: the service has no use for the message.
func rejects(r Result, status int) Result {
	if r.Outcome == Failed && r.Status == status {
		r.Outcome = Rejected
	}
	return r
}

// cut shortens text to at most n bytes.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n-len("…")], "") + "…"
}
