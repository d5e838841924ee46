package recount

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// The cells of each physical table, as the log gives them.

func counterCells(r *Result) map[Cell]string {
	cells := map[Cell]string{}
	for k, n := range r.Counters {
		cells[counterCell(k)] = strconv.FormatUint(n, 10)
	}
	return cells
}

func counterCell(k CounterKey) Cell {
	return Cell{Table: "counters", Account: k.Account, Tier: k.Tier, Window: k.Window, Metric: k.Metric,
		Feature: k.Feature, Source: k.Source}
}

func memberCells(r *Result) map[Cell]string {
	cells := map[Cell]string{}
	for k := range r.Members {
		cells[memberCell(k)] = "1"
	}
	return cells
}

func memberCell(k MemberKey) Cell {
	c := counterCell(k.CounterKey)
	c.Table, c.Entity = "members", hash(k.Member)
	return c
}

func userMinuteCells(r *Result) map[Cell]string {
	cells := map[Cell]string{}
	for k, span := range r.UserMinutes {
		cells[userMinuteCell(k)] = spanText(span)
	}
	return cells
}

func userMinuteCell(k UserMinuteKey) Cell {
	return Cell{Table: "user_minutes", Account: k.Account, Window: k.Minute, Entity: hash(k.User), Source: k.Source}
}

func spanText(s Span) string { return fmt.Sprintf("%d..%d", s.First, s.Last) }

func factCells(r *Result) map[Cell]string {
	cells := map[Cell]string{}
	for k, fact := range r.Facts {
		cells[factCell(k)] = factText(fact)
	}
	return cells
}

// factCell leaves the user out where there is none.
func factCell(k FactKey) Cell {
	entity := k.Entity + " id " + hash(k.ID)
	if k.User != 0 {
		entity += " user " + hash(k.User)
	}
	return Cell{Table: "facts", Account: k.Account, Window: k.At, Metric: k.Kind + "/" + k.Name, Entity: entity, Source: k.Source}
}

// factText is what a fact says beside its key.
func factText(f Fact) string {
	text := attributesText(f.Attributes)
	if f.Value != 0 {
		text += " value " + strconv.FormatFloat(f.Value, 'g', -1, 64)
	}
	return text
}

// attributesText writes non-empty attributes by name, after a word that tells a
// row without attributes from no row.
func attributesText(attributes map[string]string) string {
	var b strings.Builder
	b.WriteString("row")
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		if value := attributes[name]; value != "" {
			fmt.Fprintf(&b, " %s=%q", name, value)
		}
	}
	return b.String()
}

func accountChangeCells(r *Result) map[Cell]string {
	cells := map[Cell]string{}
	for k, change := range r.AccountChanges {
		cells[accountChangeCell(k)] = accountChangeText(change)
	}
	return cells
}

func accountChangeCell(k AccountChangeKey) Cell {
	return Cell{Table: "account_changes", Account: k.Account, Window: k.ValidFrom, Entity: offset(k.Offset), Source: k.Source}
}

func accountChangeText(change AccountChange) string {
	if change.Deleted {
		return "deleted"
	}
	return attributesText(change.Attributes)
}

func userAccountCells(r *Result) map[Cell]string {
	cells := map[Cell]string{}
	for k, account := range r.UserAccounts {
		cells[userAccountCell(k)] = account
	}
	return cells
}

func userAccountCell(k UserAccountKey) Cell {
	return Cell{Table: "user_accounts", Entity: hash(k.User) + " at " + offset(k.Offset), Source: k.Source}
}

func checkpointCells(r *Result) map[Cell]string {
	cells := map[Cell]string{}
	for source, v := range r.Sources {
		if !v.Compacted { // else nobody can count its records again
			addCheckpoint(cells, source, v)
		}
	}
	return cells
}

func addCheckpoint(cells map[Cell]string, source string, v Verdicts) {
	for metric, n := range map[string]uint64{"received": v.Received, "applied": v.Applied,
		"duplicate": v.Duplicate, "filtered": v.Filtered, "dead_lettered": v.DeadLettered} {
		cells[Cell{Table: "checkpoints", Metric: metric, Source: source}] = strconv.FormatUint(n, 10)
	}
}

func deadLetterCells(r *Result) map[Cell]string {
	cells := map[Cell]string{}
	for k, reason := range r.DeadLetters {
		cells[deadLetterCell(k)] = reason
	}
	return cells
}

func deadLetterCell(k DeadLetterKey) Cell {
	return Cell{Table: "dead_letters", Entity: offset(k.Offset), Source: k.Source}
}

func hash(h uint64) string { return fmt.Sprintf("%016x", h) }

func offset(o int64) string { return fmt.Sprintf("offset %d", o) }
