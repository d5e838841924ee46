package simulate

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tidemark/internal/recount"
)

// Difference is a value in ClickHouse that is not the truth.
type Difference = recount.Difference

// table says how to read one kind of cell from the physical tables, and what
// the truth about them is.
type table struct {
	want  func(*Truth) map[recount.Cell]string
	query string
	row   func(driver.Rows) (recount.Cell, string, error)
}

var tables = []table{
	{(*Truth).Cells, `SELECT tier, account_id, window_start, metric, feature, sum(value) FROM (
			SELECT tier, account_id, window_start, metric, feature, source, max(value) AS value FROM counters
			WHERE tier != 'minute' GROUP BY tier, account_id, window_start, metric, feature, source
		) GROUP BY tier, account_id, window_start, metric, feature`, windowRow("counters")},
	{nil, `SELECT tier, account_id, window_start, metric, feature, uniqExact(member) FROM members
		WHERE tier != 'minute' GROUP BY tier, account_id, window_start, metric, feature`, windowRow("members")},
	{nil, `SELECT account_id, minute, user, min(first), max(last) FROM user_minutes
		GROUP BY account_id, minute, user`, minuteRow},
	{(*Truth).factCells, `SELECT account_id, toStartOfDay(at) AS day, kind, name, '', uniqExact(entity, at, user, id) FROM facts
		GROUP BY account_id, day, kind, name`, factRow},
	{nil, `SELECT account_id, toStartOfDay(at) AS day, kind, 'escalated', entity, toUInt64(1) FROM facts
		WHERE attributes['escalation'] != '' GROUP BY account_id, day, kind, entity`, factRow},
	{(*Truth).attributeCells, `SELECT account_id, tupleElement(a, 1) AS name,
			argMax(tupleElement(a, 2), (valid_from, source, offset)) FROM account_changes
		ARRAY JOIN CAST(attributes, 'Array(Tuple(String, String))') AS a GROUP BY account_id, name`, attributeRow},
}

// CompareTruth reads the physical tables and lists where they differ from the
// truth, for the accounts of the simulation. Everything that was sent must have
// been read by the pipeline before. conn needs the right to read, and the
// database as its default.
func CompareTruth(ctx context.Context, conn driver.Conn, t *Truth) ([]Difference, error) {
	want, got := map[recount.Cell]string{}, map[recount.Cell]string{}
	for _, tab := range tables {
		if tab.want != nil {
			for cell, value := range tab.want(t) {
				want[cell] = value
			}
		}
		if err := t.read(ctx, conn, tab, got); err != nil {
			return nil, fmt.Errorf("read %q: %w", tab.query, err)
		}
	}
	// Of minutes that are older than the minute tier keeps, it depends on when
	// an event was received whether it is there.
	oldest := time.Now().Add(-recount.Minute.Retention()).UnixMilli()
	for _, cells := range []map[recount.Cell]string{want, got} {
		for cell := range cells {
			if cell.Table == "user_minutes" && cell.Window < oldest {
				delete(cells, cell)
			}
		}
	}
	differences := recount.Diff(want, got)
	records, err := t.compareRecords(ctx, conn)
	if err != nil {
		return nil, fmt.Errorf("compare the records' verdicts: %w", err)
	}
	return append(differences, records...), nil
}

// read adds the cells of the simulation's accounts.
func (t *Truth) read(ctx context.Context, conn driver.Conn, tab table, cells map[recount.Cell]string) error {
	rows, err := conn.Query(ctx, tab.query)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		cell, value, err := tab.row(rows)
		if err != nil {
			return err
		}
		if _, ours := t.accounts[cell.Account]; ours {
			cells[cell] = value
		}
	}
	return rows.Err()
}

func windowRow(table string) func(driver.Rows) (recount.Cell, string, error) {
	return func(rows driver.Rows) (recount.Cell, string, error) {
		cell := recount.Cell{Table: table}
		var tier string
		var window time.Time
		var n uint64
		err := rows.Scan(&tier, &cell.Account, &window, &cell.Metric, &cell.Feature, &n)
		cell.Tier, cell.Window = recount.Tier(tier), window.UnixMilli()
		return cell, strconv.FormatUint(n, 10), err
	}
}

func minuteRow(rows driver.Rows) (recount.Cell, string, error) {
	var account string
	var minute, first, last time.Time
	var user uint64
	err := rows.Scan(&account, &minute, &user, &first, &last)
	return minuteCell(account, minute.UnixMilli(), user), spanText(first.UnixMilli(), last.UnixMilli()), err
}

func factRow(rows driver.Rows) (recount.Cell, string, error) {
	var account, kind, name, entity string
	var day time.Time
	var n uint64
	err := rows.Scan(&account, &day, &kind, &name, &entity, &n)
	return factCell(account, day.UnixMilli(), kind, name, entity), strconv.FormatUint(n, 10), err
}

func factCell(account string, day int64, kind, name, entity string) recount.Cell {
	return recount.Cell{Table: "facts", Account: account, Tier: recount.Day, Window: day, Metric: kind + "/" + name, Entity: entity}
}

func attributeRow(rows driver.Rows) (recount.Cell, string, error) {
	cell := recount.Cell{Table: "account_changes"}
	var value string
	err := rows.Scan(&cell.Account, &cell.Metric, &value)
	return cell, value, err
}

// factCells count signals, workflow steps and ticket events by day and name, and name
// the tickets that an event of that day escalated by itself.
func (t *Truth) factCells() map[recount.Cell]string {
	counts := map[recount.Cell]uint64{}
	for cell, n := range t.signals {
		if cell.Account != "" { // releases are no account's
			counts[cell] = n
		}
	}
	for who, steps := range t.steps {
		for _, s := range steps {
			counts[factCell(who.account, recount.Day.Window(s.at), "workflow", workflowSteps[s.step-1], "")]++
		}
	}
	cells := map[recount.Cell]string{}
	for who, events := range t.tickets {
		for _, e := range events {
			day := recount.Day.Window(e.at)
			counts[factCell(who.account, day, "ticket", e.Kind, "")]++
			if e.escalates {
				cells[factCell(who.account, day, "ticket", "escalated", who.entity)] = "1"
			}
		}
	}
	for cell, n := range counts {
		cells[cell] = strconv.FormatUint(n, 10)
	}
	return cells
}

// attributeCells are what is known of each account.
func (t *Truth) attributeCells() map[recount.Cell]string {
	cells := map[recount.Cell]string{}
	for _, id := range t.Accounts() {
		for name, value := range t.Account(id) {
			cells[recount.Cell{Table: "account_changes", Account: id, Metric: name}] = value
		}
	}
	return cells
}

// compareRecords checks what became of the records: dead letters by reason, as
// many duplicates at least as were meant, and no record without a verdict.
func (t *Truth) compareRecords(ctx context.Context, conn driver.Conn) ([]Difference, error) {
	dead := map[string]uint64{}
	rows, err := conn.Query(ctx, `SELECT reason, uniqExact(source, offset) FROM dead_letters GROUP BY reason`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var reason string
		var n uint64
		if err := rows.Scan(&reason, &n); err != nil {
			return nil, err
		}
		dead[reason] = n
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	differences := t.compareDeadLetters(dead)
	var received, verdicts, duplicates uint64
	err = conn.QueryRow(ctx, `SELECT sum(received), sum(applied + duplicate + filtered + dead_lettered), sum(duplicate) FROM (
			SELECT * FROM checkpoints ORDER BY source, offset DESC LIMIT 1 BY source
		)`).Scan(&received, &verdicts, &duplicates)
	if err != nil {
		return nil, err
	}
	if received != verdicts {
		differences = append(differences, recordDifference("sum of verdicts", received, verdicts))
	}
	if duplicates < t.Duplicates {
		differences = append(differences, recordDifference("duplicates (at least)", t.Duplicates, duplicates))
	}
	return differences, nil
}

func (t *Truth) compareDeadLetters(got map[string]uint64) []Difference {
	var differences []Difference
	for reason, want := range t.DeadLetters {
		if n := got[reason]; n < want || n > want+t.Repeated[reason] {
			differences = append(differences, recordDifference("dead letters: "+reason, want, n))
		}
	}
	for reason, n := range got {
		if _, known := t.DeadLetters[reason]; !known && n > t.Repeated[reason] {
			differences = append(differences, recordDifference("dead letters: "+reason, 0, n))
		}
	}
	return differences
}

func recordDifference(metric string, want, got uint64) Difference {
	return Difference{Cell: recount.Cell{Table: "checkpoints", Metric: metric},
		Want: strconv.FormatUint(want, 10), Got: strconv.FormatUint(got, 10)}
}
