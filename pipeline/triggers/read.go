package triggers

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"golang.org/x/sync/errgroup"

	"tidemark/schemas"
	"tidemark/schemas/rules"
	sink "tidemark/sinks/clickhouse"
	"tidemark/sinks/clickhouse/views"
)

// want is a value to read: an input as of an instant.
type want struct {
	input int
	at    int64 // Unix ms
	ended bool  // of the accounts' own periods, the last one that is over, not the one that the instant lies in
}

// account is what is known of an account beside what rules read.
type account struct {
	since   time.Time // first heard of
	removed bool
	segment string
	zone    string
}

// readings are the values of some accounts.
type readings struct {
	accounts []string
	index    map[string]int
	known    []account
	values   map[want][]rules.Value // by the accounts' index
	memory   *memory                // of earlier readings; nil: everything is read
}

func newReadings(accounts []string, since map[string]time.Time) *readings {
	r := &readings{accounts: accounts, index: make(map[string]int, len(accounts)), known: make([]account, len(accounts)), values: map[want][]rules.Value{}}
	for i, a := range accounts {
		r.index[a], r.known[i].since = i, since[a]
	}
	return r
}

// column is the slice that the values of one want go to.
func (r *readings) column(w want) []rules.Value {
	v := r.values[w]
	if v == nil {
		v = make([]rules.Value, len(r.accounts))
		r.values[w] = v
	}
	return v
}

// Reader reads the inputs of rules from ClickHouse, each value of some accounts as of some instants.
type Reader struct {
	client *sink.Client
	lives  string // the query of the lives of tickets
	inputs []input
}

// newReader returns a reader of some inputs.
func newReader(client *sink.Client, cat *schemas.Catalogue, o views.Options, inputs []input) (*Reader, error) {
	lives, err := views.TicketLives(cat, o)
	if err != nil {
		return nil, err
	}
	return &Reader{client: client, lives: lives, inputs: inputs}, nil
}

// part is how many accounts a query asks for: their names travel in its text.
const part = 5000

// read fills in what is wanted.
func (r *Reader) read(ctx context.Context, generation uint16, into *readings, wanted []want, now time.Time) error {
	if err := r.history(ctx, into, wanted, now); err != nil {
		return fmt.Errorf("read what is known of %d accounts: %w", len(into.accounts), err)
	}
	groups := map[way]map[string][]want{}
	var numbers []want
	for _, w := range wanted {
		in := r.inputs[w.input]
		key := ""
		switch in.way {
		case byCounters, byMembers:
			key = in.tier
		case byView:
			key = fmt.Sprint(in.View, "@", w.at, w.ended)
		case byHistory, byCalendar:
			continue
		case byTickets:
		}
		if in.way != byView {
			numbers = append(numbers, w)
		}
		into.column(w) // so that what follows writes to no map
		if groups[in.way] == nil {
			groups[in.way] = map[string][]want{}
		}
		groups[in.way][key] = append(groups[in.way][key], w)
	}
	into.memory.prepare(into.accounts, numbers)
	all, ctx := errgroup.WithContext(ctx) // most of a query's time is spent on understanding it
	all.SetLimit(2)
	for how, by := range groups {
		for key, ws := range by {
			all.Go(func() error {
				if err := r.group(ctx, generation, into, how, key, ws); err != nil {
					return fmt.Errorf("read %s of %d accounts: %w", r.inputs[ws[0].input].View, len(into.accounts), err)
				}
				return nil
			})
		}
	}
	return all.Wait()
}

func (r *Reader) group(ctx context.Context, generation uint16, into *readings, how way, key string, ws []want) error {
	accounts := into.accounts
	if how != byView {
		for _, w := range ws {
			r.zero(into, w)
		}
		accounts = into.memory.recall(into, ws)
	}
	for accounts := range slices.Chunk(accounts, part) {
		var err error
		switch how {
		case byCounters, byMembers:
			err = r.panes(ctx, generation, into, accounts, how, key, ws)
		case byTickets:
			err = r.tickets(ctx, into, accounts, ws)
		default:
			err = r.view(ctx, into, accounts, ws)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// window is the window of a wanted value.
func (r *Reader) window(w want) (start, end time.Time) {
	in := r.inputs[w.input]
	end = in.WindowEnd(time.UnixMilli(w.at))
	return end.Add(-in.Shape.Size), end
}

// zero gives the accounts that were known by a window's end, and not removed, the value of silence. Others have no row in the view.
func (r *Reader) zero(into *readings, w want) {
	values := into.column(w)
	_, end := r.window(w)
	for i, k := range into.known {
		if !k.since.IsZero() && k.since.Before(end) && !k.removed {
			values[i] = rules.Num(0)
		}
	}
}

func named(name string, value any) any { return clickhouse.Named(name, value) }
