package collect

import (
	"encoding/json"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// orgKey is the identity of an organisation of another system. Its account is the one whose external_ids name it.
func orgKey(system, id string) string { return "o:" + system + "|" + id }

// accountsTable is the accounts topic in memory: the traits that collectors wrote, and which account has which external ids.
type accountsTable struct {
	*table[trait]
	// learned is called when an organisation's account becomes known, outside of any lock. Optional.
	learned func(org string)

	mu       sync.RWMutex
	accounts map[string]string              // by organisation
	orgs     map[string]map[string][]string // by account and system
	removed  map[string]time.Time           // by account: what was said before is not known any more
}

func newAccountsTable(topic string) *accountsTable {
	return &accountsTable{table: newTable(topic, foldTrait), accounts: map[string]string{}, orgs: map[string]map[string][]string{}, removed: map[string]time.Time{}}
}

// account returns the account that has the external id.
func (t *accountsTable) account(org string) (string, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	account, ok := t.accounts[org]
	return account, ok
}

// removedAt is when the account was removed last, the zero time if it never was.
func (t *accountsTable) removedAt(account string) time.Time {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.removed[account]
}

// apply folds one record into both.
func (t *accountsTable) apply(record *kgo.Record) error {
	fresh := t.applyIDs(record)
	err := t.table.apply(record)
	for _, org := range fresh {
		if t.learned != nil {
			t.learned(org)
		}
	}
	return err
}

// applyIDs takes up the external ids of a record and returns the organisations that have an account now. A record says nothing of systems that
// it does not name; null takes a system's ids away, and a removed account has none.
func (t *accountsTable) applyIDs(record *kgo.Record) (fresh []string) {
	account, _, _ := strings.Cut(string(record.Key), "|")
	if record.Attrs.IsControl() {
		return nil
	}
	var r struct {
		AccountID   string                     `json:"account_id"`
		At          time.Time                  `json:"at"`
		Deleted     any                        `json:"deleted"`
		ExternalIDs map[string]json.RawMessage `json:"external_ids"`
	}
	if len(record.Value) > 0 && (json.Unmarshal(record.Value, &r) != nil || r.ExternalIDs == nil && r.Deleted != true) {
		return nil
	}
	if r.AccountID != "" {
		account = r.AccountID
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(record.Value) == 0 && !strings.Contains(string(record.Key), "|") || r.Deleted == true { // not the tombstone of one of its traits
		at := r.At
		if at.IsZero() {
			at = record.Timestamp
		}
		if at.After(t.removed[account]) {
			t.removed[account] = at
		}
		for system := range t.orgs[account] {
			t.setIDs(account, system, nil)
		}
		return nil
	}
	for system, raw := range r.ExternalIDs {
		ids := externalIDs(raw)
		t.setIDs(account, system, ids)
		for _, id := range ids {
			fresh = append(fresh, orgKey(system, id))
		}
	}
	return fresh
}

// setIDs replaces the ids that an account has in a system, with the lock held.
func (t *accountsTable) setIDs(account, system string, ids []string) {
	for _, id := range t.orgs[account][system] {
		if t.accounts[orgKey(system, id)] == account {
			delete(t.accounts, orgKey(system, id))
		}
	}
	if t.orgs[account] == nil {
		t.orgs[account] = map[string][]string{}
	}
	t.orgs[account][system] = ids
	for _, id := range ids {
		t.accounts[orgKey(system, id)] = account
	}
	if len(ids) == 0 {
		if delete(t.orgs[account], system); len(t.orgs[account]) == 0 {
			delete(t.orgs, account)
		}
	}
}

// externalIDs are a text, a number or a list of them.
func externalIDs(raw json.RawMessage) []string {
	elements, ok := splitArray(raw)
	if !ok {
		elements = [][]byte{raw}
	}
	var ids []string
	for _, e := range elements {
		if id := readAny(object{{name: "id", value: trimmed(e)}}, "id"); id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

func trimmed(raw []byte) []byte { return []byte(strings.TrimSpace(string(raw))) }
