package collect

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
	"unicode/utf8"

	kafka "github.com/segmentio/kafka-go"

	"tidemark/pipeline/accountimport"
)

const accountsPath = "/v1/accounts"

// routeAccounts adds the call by which a CRM or a billing system says what it knows of accounts. POST and PATCH are the same: an attribute that
// is named is set, null clears it, and all others stay.
func (c *Collector) routeAccounts(mux *http.ServeMux) {
	for _, method := range []string{http.MethodPost, http.MethodPatch} {
		mux.HandleFunc(method+" "+accountsPath, func(w http.ResponseWriter, r *http.Request) {
			taken := 0
			c.serve(w, r, accountsPath, func(body []byte, received time.Time) (refused *refusal) {
				taken, refused = c.takeAccounts(r, body, received)
				return refused
			}, func() { writeJSON(w, http.StatusOK, map[string]any{"success": true, "accounts": taken}) })
		})
	}
}

// takeAccounts returns how many accounts the body describes, once Kafka has what is said of them.
func (c *Collector) takeAccounts(r *http.Request, body []byte, received time.Time) (int, *refusal) {
	q := &request{}
	said, refused := c.parseAccounts(q, body, received)
	if refused = c.admit(r, "accounts", q, refused, received); refused != nil {
		return 0, refused
	}
	return q.sent, c.deliver(r.Context(), q.sent, func(ctx context.Context) ([]kafka.Message, error) {
		return nil, c.directory.write(ctx, said)
	})
}

// parseAccounts reads one object, an array of them or one a line. One account that is wrong refuses all.
func (c *Collector) parseAccounts(q *request, body []byte, received time.Time) (changes, *refusal) {
	said := changes{accounts: map[string]*accountChange{}}
	rows, refused := splitRows(body)
	if refused != nil {
		return said, refused
	}
	q.sent = len(rows)
	for i, raw := range rows {
		if len(raw) > c.config.MaxEventBytes {
			return said, eventTooLarge(len(raw), c.config.MaxEventBytes).at(i)
		}
		a, at, refused := parseAccount(raw, received)
		if refused != nil {
			return said, refused.at(i)
		}
		if said.accounts[a.ID] != nil {
			return said, invalid("account_id", fmt.Sprintf("the account %.60q is in the request twice: say all of it at once", a.ID)).at(i)
		}
		said.describe(a, at)
	}
	return said, nil
}

func parseAccount(raw []byte, received time.Time) (accountimport.Account, time.Time, *refusal) {
	o, err := parseObject(raw)
	if err != nil {
		return accountimport.Account{}, received, invalidObject("", err)
	}
	at, refused := readTime(o, "at")
	if refused != nil {
		return accountimport.Account{}, received, refused
	}
	if at.IsZero() || at.After(received) { // a clock that is ahead would outrank all that is said later
		at = received
	}
	row := map[string]json.RawMessage{}
	for _, m := range o {
		row[m.name] = m.value
	}
	a, refused := readAccount(row)
	if refused == nil && len(a.Attributes) == 0 {
		refused = invalid("", `the account has no attributes: send some beside account_id, or "deleted": true`)
	}
	return a, at, refused
}

// splitRows returns the objects of a body.
func splitRows(body []byte) ([][]byte, *refusal) {
	if !utf8.Valid(body) {
		return nil, invalid("", "the body is not UTF-8: encode the JSON as UTF-8")
	}
	refused := checkJSON(body)
	if refused == nil {
		if elements, ok := splitArray(body); ok {
			return elements, nil
		}
		return [][]byte{body}, nil
	}
	var rows [][]byte
	for line := range bytes.Lines(body) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if r := checkJSON(line); r != nil {
			if len(rows) == 0 {
				return nil, refused // not a line's fault alone
			}
			return nil, r.at(len(rows))
		}
		rows = append(rows, line)
	}
	if len(rows) == 0 {
		return nil, refused
	}
	return rows, nil
}
