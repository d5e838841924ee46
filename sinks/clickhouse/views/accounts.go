package views

import (
	"fmt"
	"slices"
	"strings"
)

// attribute is an attribute of accounts with a column of its own.
type attribute struct {
	Name    string // in account records
	Column  string // in the usage views
	Type    string
	Parse   string // SQL from the text, with %s for it
	Unit    string
	Meaning string
}

var attributes = []attribute{
	{"name", "account_name", "Nullable(String)", "nullIf(%s, '')", "", "Name of the account."},
	{"plan", "plan", "LowCardinality(Nullable(String))", "nullIf(%s, '')", "", "Plan that the account pays for."},
	{"segment", "segment", "LowCardinality(Nullable(String))", "nullIf(%s, '')", "", "Segment that the account belongs to."},
	{"stage", "stage", "LowCardinality(Nullable(String))", "nullIf(%s, '')", "", "Stage of the customer's life, such as onboarding."},
	{"owner", "owner", "LowCardinality(Nullable(String))", "nullIf(%s, '')", "", "Who looks after the account."},
	{"seats", "seats", "Nullable(UInt64)", "toUInt64OrNull(%s)", "seats", "Licensed seats."},
	{"mrr", "mrr", "Nullable(Float64)", "toFloat64OrNull(%s)", "currency", "Monthly recurring revenue."},
}

// dated are the attributes that are times; only the views of accounts show them.
var dated = []attribute{
	{"created_at", "created_at", "Nullable(DateTime64(3, 'UTC'))", "parseDateTime64BestEffortOrNull(%s, 3, 'UTC')", "", "When the account was created."},
	{"renewal_at", "renewal_at", "Nullable(DateTime64(3, 'UTC'))", "parseDateTime64BestEffortOrNull(%s, 3, 'UTC')", "", "When its contract is renewed."},
}

// From is the SQL that reads the attribute from a map.
func (a attribute) From(state string) string {
	return strings.ReplaceAll(a.Parse, "%s", state+"["+Quote(a.Name)+"]")
}

// Attributes is for the templates.
func (b *builder) Attributes() []attribute { return attributes }

// AllAttributes is for the templates. The segment is what the catalogue says of the state.
func (b *builder) AllAttributes() []attribute {
	all := slices.Concat(attributes, dated)
	for i := range all {
		if all[i].Name == "segment" {
			all[i].Parse = b.SegmentOf("state")
		}
	}
	return all
}

// dimension are the columns of an account as of a window's end.
func dimension() []column {
	var out []column
	for _, a := range attributes {
		out = append(out, column{a.Column, a.Type, a.Unit, a.Meaning + " As of the window's end; NULL if unknown."})
	}
	return out
}

func stateColumns() []column {
	var out []column
	for _, a := range append(attributes[:len(attributes):len(attributes)], dated...) {
		out = append(out, column{a.Name, a.Type, a.Unit, a.Meaning + " NULL if unknown."})
	}
	return append(out,
		column{"external_ids", "Map(String, String)", "", "Ids of the account in other systems, by system."},
		column{"targets", "Map(String, Float64)", "", "Targets agreed with the account, by name."},
		column{"attributes", "Map(String, String)", "", "All attributes as text, with those that have no column of their own."},
	)
}

func (b *builder) accountHistory() ([]view, error) {
	query, err := b.render("account_history", b)
	if err != nil {
		return nil, err
	}
	return []view{{
		Name:    "account_history",
		Comment: "What was known of each account, and from when to when: one row a change, with the full state after it.",
		Columns: append([]column{
			{"account_id", "String", "", "Account."},
			{"valid_from", "DateTime64(3, 'UTC')", "", "From when the state holds."},
			{"valid_to", "Nullable(DateTime64(3, 'UTC'))", "", "Until when, exclusive; NULL for the latest state."},
			{"is_removed", "Bool", "", "Whether the account was removed."},
		}, stateColumns()...),
		Query: query,
	}}, nil
}

func (b *builder) accounts() ([]view, error) {
	query, err := b.render("accounts", b)
	if err != nil {
		return nil, err
	}
	columns := append([]column{{"account_id", "String", "", "Account."}}, stateColumns()...)
	return []view{{
		Name:    "accounts",
		Comment: "What is known of each account now. Accounts that were removed are left out; those heard of only by events or tickets are there.",
		Columns: append(columns,
			column{"known_since", "DateTime64(3, 'UTC')", "", "The earliest of its creation, its first record, its first day with events and its first ticket event."},
			column{"updated_at", "Nullable(DateTime64(3, 'UTC'))", "", "From when its latest record holds; NULL without a record."},
		),
		Query: query,
	}}, nil
}

// AsOf is the SQL of the join to what was known of the account of a table at a time, a DateTime64: its columns are NULL where
// nothing was. States don't overlap, so there is one at most. It is no ASOF JOIN, whose right side a condition on the account does
// not reach: a query of one account would put the history of all together.
func (b *builder) AsOf(alias, of, at string) string {
	return fmt.Sprintf("LEFT JOIN %[1]s.account_history AS %[2]s\n    ON %[2]s.account_id = %[3]s.account_id AND %[2]s.valid_from <= %[4]s AND %[4]s < ifNull(%[2]s.valid_to, toDateTime64('2299-12-31 00:00:00', 3, 'UTC'))",
		b.DB(), alias, of, at)
}
