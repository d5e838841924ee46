package views

import (
	"fmt"
	"strings"
	"time"
)

// snapshotName is the refreshable materialized view that keeps what the portfolio shows. It runs whole and appends, and does
// not see inserts, so it counts nothing twice.
const snapshotName = "portfolio_snapshot"

// known is the view of what the portfolio said at earlier times.
func (b *builder) known() ([]view, error) {
	var portfolio view
	for _, v := range b.made {
		if v.Name == "portfolio" {
			portfolio = v
		}
	}
	columns := []column{
		{"known_at", "DateTime64(3, 'UTC')", "", "When the portfolio said so. What was said at a time is what the last known_at before it says."},
		{"account_id", "String", "", "Account."},
	}
	for _, c := range portfolio.Columns[1:] {
		if c.Name == "as_of" { // it is known_at
			continue
		}
		c.Type = nullable(c.Type)
		c.Meaning = strings.TrimSuffix(c.Meaning, ".") + ", as it was known then; NULL also where that version had no such column."
		columns = append(columns, c)
	}
	v, err := b.simple("portfolio_known", "What the view portfolio said at earlier times, every hour for 35 days and at midnight (UTC) for 400: late events and records that came since have not changed it. "+
		"Ask for one known_at, or for one account.", columns, "portfolio_known", struct {
		*builder
		Columns []column
	}{b, columns[2:]})
	return []view{v}, err
}

// nullable is the type that can be NULL as well.
func nullable(of string) string {
	switch {
	case strings.Contains(of, "Nullable("):
		return of
	case strings.HasPrefix(of, "LowCardinality("):
		return "LowCardinality(Nullable(" + strings.TrimSuffix(strings.TrimPrefix(of, "LowCardinality("), ")") + "))"
	default:
		return "Nullable(" + of + ")"
	}
}

// plain is the type without NULL and dictionary.
func plain(of string) string {
	for _, wrap := range []string{"LowCardinality(", "Nullable("} {
		if strings.HasPrefix(of, wrap) {
			of = strings.TrimSuffix(strings.TrimPrefix(of, wrap), ")")
		}
	}
	return of
}

// Was is the SQL of a column from the text that was kept.
func (b *builder) Was(c column) string {
	text := "values[" + Quote(c.Name) + "]"
	value := text
	if p := plain(c.Type); p != "String" {
		value = "accurateCastOrNull(" + text + ", " + Quote(p) + ")"
	}
	return "CAST(if(mapContains(values, " + Quote(c.Name) + "), " + value + ", NULL), " + Quote(c.Type) + ")"
}

// snapshot is the statement that makes the refreshable view of a portfolio.
func (o Options) snapshot(portfolio view) string {
	every := o.SnapshotEvery
	if every == 0 {
		every = time.Hour
	}
	pairs := make([]string, 0, len(portfolio.Columns))
	for _, c := range portfolio.Columns[1:] {
		if c.Name != "as_of" {
			pairs = append(pairs, "("+Quote(c.Name)+", CAST(toString("+quoteName(c.Name)+"), 'Nullable(String)'))")
		}
	}
	return fmt.Sprintf(`CREATE MATERIALIZED VIEW IF NOT EXISTS %[1]s.%[2]s REFRESH EVERY %[3]d SECOND APPEND TO %[1]s.portfolio_snapshots
(
    known_at DateTime64(3, 'UTC') COMMENT 'When the row was shown.',
    account_id String COMMENT 'Account.',
    values Map(LowCardinality(String), String) COMMENT 'Columns of the view portfolio as text; those that were NULL are left out.'
)
EMPTY
AS SELECT now64(3, 'UTC') AS known_at, account_id,
    CAST(arrayMap(x -> (x.1, assumeNotNull(x.2)), arrayFilter(x -> x.2 IS NOT NULL, [%[4]s])), 'Map(LowCardinality(String), String)') AS values
FROM %[1]s.portfolio
COMMENT `, quoteName(o.Database), snapshotName, int64(every/time.Second), strings.Join(pairs, ",\n        "))
}
