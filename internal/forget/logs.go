package forget

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/pipeline/source"
)

// escape is how an id begins a key that goes on after a bar.
func escape(id string) string { return strings.NewReplacer("%", "%25", "|", "%7C").Replace(id) }

// matching says for each compacted topic which of its records are about somebody.
func (o *Options) matching(w Who) map[string]func(key []byte, value []byte) bool {
	type record struct {
		AccountID   any      `json:"account_id"`
		UserID      any      `json:"userId"`
		AnonymousID any      `json:"anonymousId"`
		WaitsFor    []string `json:"waits_for"`
	}
	read := func(value []byte) (r record) {
		_ = json.Unmarshal(value, &r) // what cannot be read names nobody but in its key
		return r
	}
	begins := []byte(escape(w.key()) + "|")
	if !w.User {
		return map[string]func([]byte, []byte) bool{
			o.Topics.Accounts: func(key, value []byte) bool {
				named := read(value).AccountID
				return string(key) == w.ID && (named == nil || named == w.ID) || bytes.HasPrefix(key, begins) && (named == nil || named == w.ID)
			},
			o.Topics.Users: func(_, value []byte) bool { return read(value).AccountID == w.ID },
		}
	}
	return map[string]func([]byte, []byte) bool{
		o.Topics.Users: func(key, _ []byte) bool { return string(key) == w.identity() },
		o.Topics.Parked: func(key, value []byte) bool {
			r := read(value)
			own := !w.Anonymous && r.UserID == w.ID || w.Anonymous && r.AnonymousID == w.ID
			return own || bytes.HasPrefix(key, begins) || slices.Contains(r.WaitsFor, w.identity())
		},
	}
}

// tombstones returns what takes out of a compacted topic the latest records of keys that match.
func (o *Options) tombstones(ctx context.Context, topic string, match func(key, value []byte) bool) ([]*kgo.Record, error) {
	found := map[string]*kgo.Record{}
	err := source.ReadTopic(ctx, o.Kafka, topic, func(r *kgo.Record) error {
		id := fmt.Sprintf("%d %s", r.Partition, r.Key)
		if len(r.Value) > 0 && match(r.Key, r.Value) {
			found[id] = &kgo.Record{Topic: topic, Partition: r.Partition, Key: r.Key}
		} else { // another has taken its place, or it is gone
			delete(found, id)
		}
		return nil
	})
	if err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) {
		return nil, err
	}
	var all []*kgo.Record
	for _, r := range found {
		all = append(all, r)
	}
	return all, nil
}
