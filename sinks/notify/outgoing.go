package notify

import (
	"cmp"
	"slices"
	"time"
)

// outgoing is a message on its way.
type outgoing struct {
	id      string
	entries []*entry
	attempt int // made so far
	first   time.Time
	next    time.Time
}

// arrange puts the entries into the order in which they are told, which follows from what they are: a message that is taken up
// again, by another process even, says the same to the byte. Alerts come as they were known, and those of an alert in its order.
func (o *outgoing) arrange() {
	since := map[string]time.Time{}
	for _, e := range o.entries {
		since[e.AlertID] = earliest(since[e.AlertID], e.KnownAt)
	}
	slices.SortFunc(o.entries, func(a, b *entry) int {
		return cmp.Or(since[a.AlertID].Compare(since[b.AlertID]), cmp.Compare(a.AlertID, b.AlertID), cmp.Compare(a.Seq, b.Seq))
	})
}

// known are the rows of its entries, as far as the table has to have them.
func (o *outgoing) known() []row {
	all := make([]row, len(o.entries))
	for i, e := range o.entries {
		all[i] = row{ID: e.ID, AlertID: e.AlertID, Version: e.version}
	}
	return all
}

// rows are those of all entries of the message, each a version further.
func (o *outgoing) rows(to row, now time.Time) []row {
	to.MessageID, to.Attempt, to.FirstAt, to.At = o.id, o.attempt, o.first, now
	out := make([]row, len(o.entries))
	for i, e := range o.entries {
		e.version++
		to.ID, to.AlertID, to.Version = e.ID, e.AlertID, e.version
		out[i] = to
	}
	return out
}
