// Package forgotten keeps the list of the accounts and users that Tidemark was told to forget. It is a compacted topic, so that it outlives
// ClickHouse and every replay of the logs meets it, and has only hashes, so that the list itself names nobody.
package forgotten

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/pipeline/source"
)

// Entry is one account or user, by its hash.
type Entry struct {
	User bool // else an account
	Hash uint64
}

// Account is the entry of an account.
func Account(id string) Entry { return Entry{Hash: xxhash.Sum64String(id)} }

// User is the entry of a user: u: and a user id, or a: and an anonymous one.
func User(identity string) Entry { return Entry{User: true, Hash: xxhash.Sum64String(identity)} }

func (e Entry) key() string {
	if e.User {
		return fmt.Sprintf("user %016x", e.Hash)
	}
	return fmt.Sprintf("account %016x", e.Hash)
}

func parseKey(key []byte) (Entry, error) {
	kind, text, _ := strings.Cut(string(key), " ")
	hash, err := strconv.ParseUint(text, 16, 64)
	if kind != "user" && kind != "account" || err != nil {
		return Entry{}, fmt.Errorf("the key %.60q is neither an account's nor a user's: was it written by Tidemark?", key)
	}
	return Entry{User: kind == "user", Hash: hash}, nil
}

// List has the entries of a time. A nil List is empty.
type List struct{ entries map[Entry]struct{} }

// NewList returns a list of these entries.
func NewList(entries ...Entry) *List {
	l := &List{entries: map[Entry]struct{}{}}
	for _, e := range entries {
		l.entries[e] = struct{}{}
	}
	return l
}

// Len returns how many entries there are. The list only grows, so two lists of the same length are the same.
func (l *List) Len() int {
	if l == nil {
		return 0
	}
	return len(l.entries)
}

// Account says whether an account is forgotten.
func (l *List) Account(id []byte) bool { return l.Len() > 0 && l.has(Entry{Hash: xxhash.Sum64(id)}) }

// User says whether a user is forgotten, by the hash of u: and the user id or a: and the anonymous one.
func (l *List) User(hash uint64) bool { return l.Len() > 0 && l.has(Entry{User: true, Hash: hash}) }

func (l *List) has(e Entry) bool {
	_, ok := l.entries[e]
	return ok
}

// Key says whether the key of a record names somebody who is forgotten: an account or a user, perhaps with more after a bar.
func (l *List) Key(key []byte) bool {
	if l.Len() == 0 {
		return false
	}
	first, _, _ := bytes.Cut(key, []byte("|"))
	return l.Account(key) || l.Account(first) || l.User(xxhash.Sum64(key)) || l.User(xxhash.Sum64(first))
}

// Read reads the whole list, on a connection of its own made with opts. A topic that does not exist is an empty list.
func Read(ctx context.Context, opts []kgo.Opt, topic string) (*List, error) {
	list := NewList()
	err := source.ReadTopic(ctx, opts, topic, func(r *kgo.Record) error {
		e, err := parseKey(r.Key)
		if err != nil {
			return fmt.Errorf("read %s offset %d: %w", topic, r.Offset, err)
		}
		list.entries[e] = struct{}{}
		return nil
	})
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return list, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read who is forgotten: %w", err)
	}
	return list, nil
}

// Record is what puts an entry onto the list.
func Record(topic string, e Entry) *kgo.Record {
	return &kgo.Record{Topic: topic, Key: []byte(e.key()), Value: []byte(`{"forgotten":true}`)}
}
