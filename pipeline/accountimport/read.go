// Package accountimport brings accounts from files of a CRM or a billing system into the accounts topic: it reads CSV and JSON
// lines, compares them with what the topic says, and writes what differs.
package accountimport

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"tidemark/pipeline/decode"
)

// Account is what a file says of one account: attributes as the dimension names them, with dots for nested ones, as JSON values.
type Account struct {
	ID         string
	Attributes map[string]json.RawMessage
	Where      string // file:line
}

// maxProblems is after how many wrong rows reading stops.
const maxProblems = 20

// Read reads a file: CSV with a header when its name ends with .csv, else a JSON object a line. An error names each wrong row.
func Read(name string, r io.Reader) ([]Account, error) {
	rows := jsonRows
	if strings.HasSuffix(strings.ToLower(name), ".csv") {
		rows = csvRows
	}
	var accounts []Account
	var errs []error
	err := rows(r, func(line int, attributes map[string]json.RawMessage, err error) bool {
		where := fmt.Sprintf("%s:%d", name, line)
		if err == nil {
			var account Account
			if account, err = New(attributes); err == nil {
				account.Where = where
				accounts = append(accounts, account)
				return true
			}
		}
		errs = append(errs, fmt.Errorf("%s: %w", where, err))
		return len(errs) < maxProblems
	})
	if err != nil {
		errs = append(errs, fmt.Errorf("%s: %w", name, err))
	}
	return accounts, errors.Join(errs...)
}

type visit func(line int, attributes map[string]json.RawMessage, err error) bool

func csvRows(r io.Reader, visit visit) error {
	rows := csv.NewReader(r)
	header, err := rows.Read()
	if err != nil {
		return fmt.Errorf("read the header: %w", err)
	}
	header[0] = strings.TrimPrefix(header[0], "\ufeff") // as spreadsheets write
	for i, name := range header {
		if header[i] = strings.TrimSpace(name); slices.Contains(header[:i], header[i]) {
			return fmt.Errorf("column %q is there twice", header[i])
		}
	}
	if !slices.Contains(header, "account_id") {
		return fmt.Errorf("no column is called account_id; there are %s", strings.Join(header, ", "))
	}
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		var line int
		if broken := (*csv.ParseError)(nil); errors.As(err, &broken) {
			line, row = broken.StartLine, nil // FieldPos knows only whole rows
		} else if err != nil {
			return err
		} else {
			line, _ = rows.FieldPos(0)
		}
		attributes := map[string]json.RawMessage{}
		for i, value := range row {
			if value = strings.TrimSpace(value); value != "" && i < len(header) { // an empty cell says nothing
				attributes[header[i]], _ = json.Marshal(value) // a string always encodes
			}
		}
		if !visit(line, attributes, err) {
			return nil
		}
	}
}

func jsonRows(r io.Reader, visit visit) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, decode.MaxValue)
	for line := 1; lines.Scan(); line++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" {
			continue
		}
		var row map[string]json.RawMessage
		err := json.Unmarshal([]byte(text), &row)
		if !visit(line, Flat(row), err) {
			return nil
		}
	}
	return lines.Err()
}

// Flat names what is nested with dots.
func Flat(row map[string]json.RawMessage) map[string]json.RawMessage {
	flat := map[string]json.RawMessage{}
	flatten(flat, "", row, 1)
	return flat
}

func flatten(into map[string]json.RawMessage, prefix string, object map[string]json.RawMessage, depth int) {
	for name, value := range object {
		var inner map[string]json.RawMessage
		if len(value) > 0 && value[0] == '{' && depth < 8 && json.Unmarshal(value, &inner) == nil {
			flatten(into, prefix+name+".", inner, depth+1)
			continue
		}
		into[prefix+name] = value
	}
}

// FieldError says which attribute is wrong.
type FieldError struct {
	Field string
	Err   error
}

func (e *FieldError) Error() string { return e.Field + e.Err.Error() }

func (e *FieldError) Unwrap() error { return e.Err }

func wrong(field, format string, args ...any) error {
	return &FieldError{Field: field, Err: fmt.Errorf(format, args...)}
}

// New checks attributes by their dotted names, of which account_id is one: the values whose kind is known must be of it, and are
// written in one form. An account with "deleted": true is removed.
func New(attributes map[string]json.RawMessage) (Account, error) {
	a := Account{Attributes: attributes}
	a.ID = plain(attributes["account_id"])
	if a.ID == "" || string(attributes["account_id"]) == "null" {
		return a, wrong("account_id", " is empty")
	}
	delete(attributes, "account_id")
	delete(attributes, "at")
	for name, raw := range attributes {
		text := plain(raw)
		if string(raw) == "null" {
			continue
		}
		switch {
		case name == "deleted" && text == "false":
			delete(attributes, name)
		case name == "deleted":
			if string(raw) != "true" {
				return a, wrong(name, " %.40q is neither true nor false", text)
			}
		case name == "seats":
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil || n < 0 {
				return a, wrong(name, " %.40q is not a whole number", text)
			}
			attributes[name] = strconv.AppendInt(nil, n, 10) // as JSON has it: "007" and "+7" are none
		case name == "mrr" || strings.HasPrefix(name, "targets."):
			if _, err := strconv.ParseFloat(text, 64); err != nil || !json.Valid([]byte(text)) {
				return a, wrong(name, " %.40q is not a number such as 1200.50", text)
			}
			attributes[name] = json.RawMessage(text)
		case name == "created_at" || name == "renewal_at":
			t, err := time.Parse(time.RFC3339, text)
			if err != nil {
				if t, err = time.Parse(time.DateOnly, text); err != nil {
					return a, wrong(name, " %.40q is neither a date such as 2026-03-01 nor an RFC 3339 time", text)
				}
			}
			attributes[name], _ = json.Marshal(t.UTC().Format(time.RFC3339))
		}
	}
	return a, nil
}

// Deleted says whether the account is removed.
func (a Account) Deleted() bool { return string(a.Attributes["deleted"]) == "true" }

// Record is the account's record, valid from a time on.
func (a Account) Record(at time.Time) []byte {
	record := map[string]any{"account_id": a.ID, "at": at.UTC().Format("2006-01-02T15:04:05.000Z")}
	for _, name := range slices.Sorted(maps.Keys(a.Attributes)) {
		set(record, strings.Split(name, "."), a.Attributes[name])
	}
	value, err := json.Marshal(record)
	if err != nil { // all of it was JSON; and an empty record would remove the account
		panic(fmt.Sprintf("marshal the account %s: %v", a.ID, err))
	}
	return value
}

// plain is a string's content, and another value as it is written.
func plain(raw json.RawMessage) string {
	var s string
	if len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}
