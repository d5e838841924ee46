package board

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// query is what a URL asks for. All that a viewer chose stands in it, so that a link shows another the same.
type query struct {
	path    string
	values  url.Values
	account string    // of pages of one account
	now     time.Time // UTC
	sortBy  string    // used without ?sort=, such as -health
	all     bool      // every row instead of a page of them, for an export
}

func newQuery(r *http.Request, now time.Time) query {
	values := r.URL.Query()
	for name, all := range values {
		if len(all) == 0 || all[0] == "" || name == "panel" || name == "format" {
			delete(values, name)
		}
	}
	return query{path: r.URL.EscapedPath(), values: values, account: r.PathValue("account"), now: now.UTC()}
}

// get is a parameter, or otherwise where it is not given.
func (q query) get(name, otherwise string) string {
	if v := q.values.Get(name); v != "" {
		return v
	}
	return otherwise
}

// with is the URL of the same page with parameters changed, given as pairs of name and value; an empty value removes one.
func (q query) with(pairs ...string) string {
	values := url.Values{}
	for name, all := range q.values {
		values[name] = all
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		values.Del(pairs[i])
		if pairs[i+1] != "" {
			values.Set(pairs[i], pairs[i+1])
		}
	}
	if len(values) == 0 {
		return q.path
	}
	return q.path + "?" + values.Encode()
}

// sort is the column to sort by, and whether downwards.
func (q query) sort() (column string, descending bool) {
	text := q.get("sort", q.sortBy)
	column = strings.TrimPrefix(text, "-")
	return column, column != text
}

// orderBy is the ORDER BY of one of the columns, by their names in URLs; what a URL asks for otherwise is not heard. Unknown
// values come last either way.
func (q query) orderBy(columns map[string]string) string {
	name, descending := q.sort()
	column, ok := columns[name]
	if !ok {
		name = strings.TrimPrefix(q.sortBy, "-")
		column, descending = columns[name], name != q.sortBy
	}
	if descending {
		return column + " DESC NULLS LAST"
	}
	return column + " ASC NULLS LAST"
}

// page is the page of a table, from 1.
func (q query) page() int {
	n, err := strconv.Atoi(q.get("page", "1"))
	if err != nil || n < 1 || n > 1_000_000 {
		return 1
	}
	return n
}

// days is the length of the time range: 7, 28 or 90 days up to now.
func (q query) days() int {
	switch q.get("days", "28") {
	case "7":
		return 7
	case "90":
		return 90
	}
	return 28
}

// from is the start of the time range: a midnight (UTC), so that whole days are shown.
func (q query) from() time.Time {
	return q.now.Truncate(24*time.Hour).AddDate(0, 0, 1-q.days())
}

// unpaged is the same query for an export: all rows, up to a bound.
func (q query) unpaged() query {
	q.all = true
	return q
}
