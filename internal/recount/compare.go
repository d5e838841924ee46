package recount

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// table is a physical table: what the log says of it, and how to read it. Rows
// that the table has yet to merge are merged by the query.
type table struct {
	want  func(*Result) map[Cell]string
	query string
	row   func(driver.Rows) (Cell, string, error)
}

var tables = []table{
	{counterCells, `SELECT tier, account_id, window_start, feature, metric, source, max(value)
		FROM counters GROUP BY tier, account_id, window_start, feature, metric, source`, counterRow},
	{memberCells, `SELECT DISTINCT tier, account_id, window_start, feature, metric, member, source
		FROM members`, memberRow},
	{userMinuteCells, `SELECT account_id, minute, user, source, min(first), max(last)
		FROM user_minutes GROUP BY account_id, minute, user, source`, userMinuteRow},
	{factCells, `SELECT kind, account_id, entity, at, name, user, id, source, argMax(value, offset), argMax(attributes, offset)
		FROM facts GROUP BY kind, account_id, entity, at, name, user, id, source`, factRow},
	{accountChangeCells, `SELECT account_id, valid_from, source, offset, any(deleted), any(attributes)
		FROM account_changes GROUP BY account_id, valid_from, source, offset`, accountChangeRow},
	{userAccountCells, `SELECT source, user, offset, any(account_id)
		FROM user_accounts GROUP BY source, user, offset`, userAccountRow},
	// Of what the pipeline reads: those of raw topics are the normaliser's.
	{deadLetterCells, `SELECT source, offset, any(reason) FROM dead_letters WHERE source IN (SELECT source FROM checkpoints) GROUP BY source, offset`, deadLetterRow},
}

// Compare reads the physical tables and lists every row in which they differ
// from the log. Windows that are old enough to expire while it reads are left
// out. conn needs the right to read, and the database as its default.
func Compare(ctx context.Context, conn driver.Conn, result *Result) ([]Difference, error) {
	differences, err := compareCheckpoints(ctx, conn, result)
	if err != nil {
		return nil, fmt.Errorf("compare checkpoints: %w", err)
	}
	expired := expiry(time.Now())
	for _, t := range tables {
		got, err := readCells(ctx, conn, t)
		if err != nil {
			return nil, fmt.Errorf("read %q: %w", t.query, err)
		}
		want := t.want(result)
		expired(want)
		expired(got)
		dropCompacted(result, want, got)
		differences = append(differences, Diff(want, got)...)
	}
	return differences, nil
}

// Rows is how many rows of all tables Compare compares with the log.
func (r *Result) Rows() int {
	n := len(r.Sources) // a checkpoint each
	expired := expiry(time.Now())
	for _, t := range tables {
		want := t.want(r)
		expired(want)
		n += len(want)
	}
	return n
}

// expiry returns a function that drops the cells which ClickHouse may delete by
// age, some of their rows before others: their sums mean nothing any more.
func expiry(now time.Time) func(map[Cell]string) {
	return func(cells map[Cell]string) {
		for c := range cells {
			tier := c.Tier
			switch c.Table {
			case "user_minutes":
				tier = Hour // kept as long as its hours
			case "facts":
				tier = Day
			}
			if tier != "" && time.UnixMilli(c.Window).Before(now.Add(-tier.Retention())) {
				delete(cells, c)
			}
		}
	}
}

// dropCompacted drops the cells of got that stem from records which the log no
// longer has.
func dropCompacted(r *Result, want, got map[Cell]string) {
	for c := range got {
		if _, known := want[c]; !known && r.Sources[c.Source].Compacted {
			delete(got, c)
		}
	}
}

func readCells(ctx context.Context, conn driver.Conn, t table) (map[Cell]string, error) {
	rows, err := conn.Query(ctx, t.query)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	cells := map[Cell]string{}
	for rows.Next() {
		cell, value, err := t.row(rows)
		if err != nil {
			return nil, err
		}
		cell.Source = canonicalSource(cell.Source)
		cells[cell] = value
	}
	return cells, rows.Err()
}

// canonicalSource writes the topic id of a source as Kafka's tools print it;
// some clients use the other alphabet of base64, and pad it.
func canonicalSource(source string) string {
	name, id, found := strings.Cut(source, "@")
	if !found {
		return source
	}
	return name + "@" + strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(id)
}

func counterRow(rows driver.Rows) (Cell, string, error) {
	var k CounterKey
	var tier string
	var window time.Time
	var value uint64
	err := rows.Scan(&tier, &k.Account, &window, &k.Feature, &k.Metric, &k.Source, &value)
	k.Tier, k.Window = Tier(tier), window.UnixMilli()
	return counterCell(k), strconv.FormatUint(value, 10), err
}

func memberRow(rows driver.Rows) (Cell, string, error) {
	var k MemberKey
	var tier string
	var window time.Time
	err := rows.Scan(&tier, &k.Account, &window, &k.Feature, &k.Metric, &k.Member, &k.Source)
	k.Tier, k.Window = Tier(tier), window.UnixMilli()
	return memberCell(k), "1", err
}

func userMinuteRow(rows driver.Rows) (Cell, string, error) {
	var k UserMinuteKey
	var minute, first, last time.Time
	err := rows.Scan(&k.Account, &minute, &k.User, &k.Source, &first, &last)
	k.Minute = minute.UnixMilli()
	return userMinuteCell(k), spanText(Span{first.UnixMilli(), last.UnixMilli()}), err
}

func factRow(rows driver.Rows) (Cell, string, error) {
	var k FactKey
	var at time.Time
	var fact Fact
	err := rows.Scan(&k.Kind, &k.Account, &k.Entity, &at, &k.Name, &k.User, &k.ID, &k.Source, &fact.Value, &fact.Attributes)
	k.At = at.UnixMilli()
	return factCell(k), factText(fact), err
}

func accountChangeRow(rows driver.Rows) (Cell, string, error) {
	var k AccountChangeKey
	var validFrom time.Time
	var offset uint64
	var deleted uint8
	var change AccountChange
	err := rows.Scan(&k.Account, &validFrom, &k.Source, &offset, &deleted, &change.Attributes)
	k.ValidFrom, k.Offset, change.Deleted = validFrom.UnixMilli(), int64(offset), deleted != 0
	return accountChangeCell(k), accountChangeText(change), err
}

func userAccountRow(rows driver.Rows) (Cell, string, error) {
	var k UserAccountKey
	var offset uint64
	var account string
	err := rows.Scan(&k.Source, &k.User, &offset, &account)
	k.Offset = int64(offset)
	return userAccountCell(k), account, err
}

func deadLetterRow(rows driver.Rows) (Cell, string, error) {
	var k DeadLetterKey
	var offset uint64
	var reason string
	err := rows.Scan(&k.Source, &offset, &reason)
	k.Offset = int64(offset)
	return deadLetterCell(k), reason, err
}
