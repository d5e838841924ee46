package collect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
)

// parallelPuts bounds how many rows one request writes at once: each waits for
// Kafka, and a batch may name a thousand accounts.
const parallelPuts = 32

// membership is the account that a user belongs to.
type membership struct {
	account string
	at      time.Time // when the user was said to belong to it
}

// directory knows the account of each user and the attributes of each account,
// from the users and accounts topics, and keeps both up to date.
type directory struct {
	*follower
	topics   Topics
	users    *table[membership]
	accounts *table[account]
	locks    [64]sync.Mutex // by account: one read-merge-write at a time
	seed     maphash.Seed
}

func newDirectory(c Config, m *metrics, log *zap.Logger) (*directory, error) {
	d := &directory{
		topics:   c.Topics,
		users:    newTable(c.Topics.Users, foldUser),
		accounts: newTable(c.Topics.Accounts, foldAccount),
		seed:     maphash.MakeSeed(),
	}
	var err error
	d.follower, err = newFollower(c, map[string]followed{c.Topics.Users: d.users, c.Topics.Accounts: d.accounts}, m, log)
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
		g.Go(func() error { return d.writeAccount(ctx, id, change) })
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

// writeAccount writes the account's record with the patch merged in, whole, so
// that compaction loses nothing. When another collector's record came between
// the reading and the writing, the table shows the union and the record does
// not: it is then written again.
func (d *directory) writeAccount(ctx context.Context, id string, change *accountChange) error {
	lock := &d.locks[maphash.String(d.seed, id)%uint64(len(d.locks))]
	lock.Lock()
	defer lock.Unlock()
	for {
		known, ok := d.accounts.get(id)
		if ok && known.whole && covers(known.attributes, change.patch) {
			return nil
		}
		at := change.at
		if at.Before(known.at) {
			at = known.at // a late call takes effect after what is known already
		}
		value := encodeAccount(id, at, overlay(known.attributes, change.patch))
		if err := d.put(ctx, d.topics.Accounts, id, value); err != nil {
			return err
		}
	}
}
