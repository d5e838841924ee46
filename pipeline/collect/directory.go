package collect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"tidemark/pipeline/accountimport"
)

// parallelPuts bounds how many rows one request writes at once: each waits for
// Kafka, and a batch may name a thousand accounts.
const parallelPuts = 32

// membership is the account that a user belongs to.
type membership struct {
	account string
	at      time.Time // when the user was said to belong to it
}

// directory knows the account of each user and the traits of each account,
// from the users and accounts topics, and keeps both up to date.
type directory struct {
	*follower
	topics Topics
	users  *table[membership]
	traits *accountsTable // by account and name; account records from elsewhere are there, too, but empty
}

func newDirectory(c Config, m *metrics, log *zap.Logger) (*directory, error) {
	d := &directory{
		topics: c.Topics,
		users:  newTable(c.Topics.Users, foldUser),
		traits: newAccountsTable(c.Topics.Accounts),
	}
	var err error
	d.follower, err = newFollower(c, map[string]followed{c.Topics.Users: d.users, c.Topics.Accounts: d.traits}, m, log)
	return d, err
}

// userRecord is the value of a record of the users topic.
type userRecord struct {
	AccountID string    `json:"account_id"`
	At        time.Time `json:"at"`
}

func foldUser(old membership, _ bool, record *kgo.Record) (membership, error) {
	var u userRecord
	if err := json.Unmarshal(record.Value, &u); err != nil {
		return old, fmt.Errorf("user record: %w", err)
	}
	if u.AccountID == "" {
		return old, errors.New("user record: account_id is missing")
	}
	return membership{account: u.AccountID, at: u.At}, nil
}

// changes are what a request says about users and accounts.
type changes struct {
	users    map[string]membership
	accounts map[string]*accountChange
}

type accountChange struct {
	patch map[string]string
	at    time.Time
}

// write brings the changes into Kafka and into the tables.
func (d *directory) write(ctx context.Context, c changes) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallelPuts)
	for id, change := range c.accounts {
		for name, value := range change.patch {
			g.Go(func() error { return d.writeTrait(ctx, id, name, value, change.at) })
		}
	}
	for user, m := range c.users {
		if known, ok := d.users.get(user); ok && known.account == m.account {
			continue
		}
		value, err := json.Marshal(userRecord{AccountID: m.account, At: m.at})
		if err != nil {
			return errors.Join(fmt.Errorf("encode user record: %w", err), g.Wait())
		}
		g.Go(func() error { return d.put(ctx, d.topics.Users, user, value) })
	}
	return g.Wait()
}

// writeTrait writes one attribute of an account, as a record of its own: the key names the attribute, so that compaction
// keeps the last word on each, and a record never repeats an attribute that somebody else may have changed meanwhile.
// What is known already, or was said before what is known, is not written.
func (d *directory) writeTrait(ctx context.Context, id, name, value string, at time.Time) error {
	key := compoundKey(id, name)
	member, value := nest(name, value)
	if known, ok := d.traits.get(key); ok && name != deletedAttribute && !known.at.Before(d.traits.removedAt(id)) && (known.value == value || at.Before(known.at)) {
		return nil
	}
	return d.put(ctx, d.topics.Accounts, key, encodeTrait(id, member, value, at))
}

// nest returns the member of a record that a dotted name stands in, and its value: an object where the name has a dot.
func nest(name, value string) (member, nested string) {
	member, inner, dotted := strings.Cut(name, ".")
	if !dotted || member == "" || inner == "" {
		return name, value
	}
	inner, value = nest(inner, value)
	return member, fmt.Sprintf("{%s:%s}", encodeString(inner), value)
}

// deletedAttribute is that of an account record that removes the account.
const deletedAttribute = "deleted"

// describe adds what is said of an account.
func (c *changes) describe(a accountimport.Account, at time.Time) {
	change := c.accounts[a.ID]
	if change == nil {
		change = &accountChange{patch: map[string]string{}}
		c.accounts[a.ID] = change
	}
	change.at = at
	if a.Deleted() {
		change.patch[deletedAttribute] = "true"
		return
	}
	for name, value := range a.Attributes {
		change.patch[name] = string(value)
	}
}
