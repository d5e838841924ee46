package simulate

import (
	"fmt"
	"strconv"

	"github.com/cespare/xxhash/v2"

	"tidemark/internal/recount"
)

// Cells are the truth as ClickHouse must hold it: counters and distinct users by
// hour and day, over all sources, and every user's minutes.
func (t *Truth) Cells() map[recount.Cell]string {
	cells := make(map[recount.Cell]string, len(t.counts)+len(t.users)+len(t.minutes))
	for cell, n := range t.counts {
		cells[cell] = strconv.FormatUint(n, 10)
	}
	for cell, users := range t.users {
		cells[cell] = strconv.Itoa(len(users))
	}
	for m, span := range t.minutes {
		cells[minuteCell(m.account, m.minute, xxhash.Sum64String(m.user))] = spanText(span.First, span.Last)
	}
	return cells
}

func minuteCell(account string, minute int64, user uint64) recount.Cell {
	return recount.Cell{Table: "user_minutes", Account: account, Window: minute, Entity: fmt.Sprintf("%016x", user)}
}

func spanText(first, last int64) string { return fmt.Sprintf("%d..%d", first, last) }
