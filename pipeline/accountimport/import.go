package accountimport

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/pipeline/decode"
)

// Change is what an import makes of one account.
type Change struct {
	ID      string
	New     bool                 // the topic does not know the account
	Changes map[string][2]string // by attribute: what it was and what it becomes
	record  []byte
}

// Dimension is what the accounts topic says.
type Dimension struct {
	latest map[string]map[string]string          // by account and attribute, whoever wrote it
	own    map[string]map[string]json.RawMessage // the same of records keyed by the account alone, as written
}

// ReadDimension reads the topic to its end.
func ReadDimension(ctx context.Context, options []kgo.Opt, topic string) (*Dimension, error) {
	client, err := kgo.NewClient(append(slices.Clone(options), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())...)
	if err != nil {
		return nil, fmt.Errorf("connect to Kafka: %w", err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	starts, err := admin.ListStartOffsets(ctx, topic)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list the offsets of %s: %w", topic, err)
	}
	ends, err := admin.ListEndOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list the offsets of %s: %w", topic, err)
	}
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if start, ok := starts.Lookup(topic, o.Partition); !ok || start.Offset < o.Offset {
			left[o.Partition] = o.Offset
		}
	})
	d := &Dimension{latest: map[string]map[string]string{}, own: map[string]map[string]json.RawMessage{}}
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("read %s: %w", topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				d.apply(r)
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
	return d, nil
}

func (d *Dimension) apply(r *kgo.Record) {
	a, rejection := decode.DecodeAccount(r.Key, r.Value, r.Timestamp.UnixMilli())
	if rejection != nil {
		return // the pipeline's to report
	}
	if a.Deleted {
		delete(d.latest, a.ID)
		delete(d.own, a.ID)
		return
	}
	if d.latest[a.ID] == nil {
		d.latest[a.ID] = map[string]string{}
	}
	maps.Copy(d.latest[a.ID], a.Attributes)
	var row map[string]json.RawMessage
	if string(r.Key) == a.ID && json.Unmarshal(r.Value, &row) == nil {
		flat := Flat(row)
		delete(flat, "account_id")
		delete(flat, "at")
		d.own[a.ID] = flat
	}
}

// Diff returns what differs, sorted by account; of an account that stands in the files twice the later row counts.
func (d *Dimension) Diff(accounts []Account, at time.Time) []Change {
	last := map[string]Account{}
	for _, a := range accounts {
		last[a.ID] = a
	}
	var changes []Change
	for _, id := range slices.Sorted(maps.Keys(last)) {
		was, known := d.latest[id]
		c := Change{ID: id, New: !known, Changes: map[string][2]string{}}
		for name, raw := range last[id].Attributes {
			value := plain(raw)
			if string(raw) == "null" {
				value = ""
			}
			if was[name] != value {
				c.Changes[name] = [2]string{was[name], value}
			}
		}
		if !c.New && len(c.Changes) == 0 {
			continue
		}
		c.record = d.record(last[id], at)
		changes = append(changes, c)
	}
	return changes
}

// record is the account's whole record: the topic keeps only the last of a key, so that it has what the one before said as well, by its
// latest word.
func (d *Dimension) record(a Account, at time.Time) []byte {
	flat := maps.Clone(d.own[a.ID])
	if flat == nil {
		flat = map[string]json.RawMessage{}
	}
	for name, raw := range flat {
		if now := d.latest[a.ID][name]; plain(raw) != now && string(raw) != "null" {
			flat[name], _ = json.Marshal(now) // a string always encodes
		}
	}
	maps.Copy(flat, a.Attributes)
	return Account{ID: a.ID, Attributes: flat}.Record(at)
}

// set puts a value where its dotted name says.
func set(object map[string]any, names []string, value json.RawMessage) {
	for len(names) > 1 {
		inner, ok := object[names[0]].(map[string]any)
		if !ok {
			inner = map[string]any{}
			object[names[0]] = inner
		}
		object, names = inner, names[1:]
	}
	object[names[0]] = value
}

// Write produces the changes, each acknowledged by all in-sync replicas, and calls progress now and then.
func Write(ctx context.Context, options []kgo.Opt, topic string, changes []Change, progress func(written int)) error {
	client, err := kgo.NewClient(options...)
	if err != nil {
		return fmt.Errorf("connect to Kafka: %w", err)
	}
	defer client.Close()
	const at = 500
	for start := 0; start < len(changes); start += at {
		end := min(start+at, len(changes))
		records := make([]*kgo.Record, 0, at)
		for _, c := range changes[start:end] {
			records = append(records, &kgo.Record{Topic: topic, Key: []byte(c.ID), Value: c.record})
		}
		if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
			return fmt.Errorf("write accounts to %s: %d of %d are written, and what is written again does no harm: %w", topic, start, len(changes), err)
		}
		progress(end)
	}
	return nil
}
