package simulate

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"tidemark/internal/recount"
)

// truthJSON is the layout of truth.json.
type truthJSON struct {
	Seed        uint64            `json:"seed"`
	Messages    uint64            `json:"messages"`
	Through     time.Time         `json:"through"`
	Applied     uint64            `json:"applied"`
	Filtered    uint64            `json:"filtered"`
	Duplicates  uint64            `json:"duplicates"`
	DeadLetters map[string]uint64 `json:"dead_letters"`
	Repeated    map[string]uint64 `json:"dead_letters_maybe_repeated"`
	Parked      int               `json:"parked"`

	Accounts    map[string]map[string]string `json:"accounts"`
	OpenTickets map[string]uint64            `json:"open_tickets"`
	// Signals are counted by kind and name, such as survey/nps, by account; those of releases by "".
	Signals map[string]map[string]uint64 `json:"signals"`
	// Windows hold only what is not zero.
	Windows []windowJSON `json:"windows"`
}

type windowJSON struct {
	Account  string                       `json:"account"`
	Tier     recount.Tier                 `json:"tier"`
	Start    time.Time                    `json:"start"`
	Metrics  map[string]uint64            `json:"metrics,omitempty"`
	Features map[string]map[string]uint64 `json:"features,omitempty"`
	Figures  *Figures                     `json:"figures,omitempty"`
}

// MarshalJSON writes the truth by account and window.
func (t *Truth) MarshalJSON() ([]byte, error) {
	out := truthJSON{
		Seed: t.Seed, Messages: t.Messages, Through: t.Through, Applied: t.Applied, Filtered: t.Filtered,
		Duplicates: t.Duplicates, DeadLetters: t.DeadLetters, Repeated: t.Repeated, Parked: t.Parked(),
		Accounts: map[string]map[string]string{}, OpenTickets: t.OpenTickets(), Signals: map[string]map[string]uint64{}, Windows: t.windowsJSON(),
	}
	for _, id := range t.Accounts() {
		out.Accounts[id] = t.Account(id)
	}
	for cell, n := range t.signals {
		if out.Signals[cell.Account] == nil {
			out.Signals[cell.Account] = map[string]uint64{}
		}
		out.Signals[cell.Account][cell.Metric] += n
	}
	return json.Marshal(out)
}

func (t *Truth) windowsJSON() []windowJSON {
	windows := map[recount.WindowKey]*windowJSON{}
	at := func(key recount.WindowKey) *windowJSON {
		w := windows[key]
		if w == nil {
			w = &windowJSON{Account: key.Account, Tier: key.Tier, Start: time.UnixMilli(key.Window).UTC(), Metrics: map[string]uint64{}}
			windows[key] = w
		}
		return w
	}
	put := func(c recount.Cell, n uint64) {
		w := at(recount.WindowKey{Tier: c.Tier, Account: c.Account, Window: c.Window})
		switch {
		case n == 0:
		case c.Feature == "":
			w.Metrics[c.Metric] = n
		default:
			if w.Features == nil {
				w.Features = map[string]map[string]uint64{}
			}
			if w.Features[c.Feature] == nil {
				w.Features[c.Feature] = map[string]uint64{}
			}
			w.Features[c.Feature][c.Metric] = n
		}
	}
	for cell, n := range t.counts {
		put(cell, n)
	}
	for cell, users := range t.users {
		put(cell, uint64(len(users)))
	}
	for key, figures := range t.Figures() {
		at(key).Figures = &figures
	}
	list := make([]windowJSON, 0, len(windows))
	for _, w := range windows {
		list = append(list, *w)
	}
	slices.SortFunc(list, func(a, b windowJSON) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Tier, b.Tier), a.Start.Compare(b.Start))
	})
	return list
}
