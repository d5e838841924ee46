package triggers

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"tidemark/schemas/rules"
	"tidemark/sinks/clickhouse/views"
)

// Text is the SQL of a column's value as text, or NULL, whatever its type: of a time, its Unix ms. Of an account's map it is the
// value of the input's key.
func Text(in rules.Input, column string) string {
	column = "`" + column + "`"
	if in.Kind == rules.OfAccount && in.Key != "" {
		column = fmt.Sprintf("if(mapContains(%s, %s), %[1]s[%[2]s], NULL)", column, views.Quote(in.Key))
	}
	if in.Type == rules.Time {
		return "toString(toUnixTimestamp64Milli(toDateTime64(" + column + ", 3, 'UTC')))"
	}
	return "toString(" + column + ")"
}

// Texts is the SQL of an array of such texts, which is read into a []*string.
func Texts(columns []string) string {
	return "CAST([" + strings.Join(columns, ", ") + "], 'Array(Nullable(String))')"
}

// Parse is the value that a Text gave for the input. What is NULL, no number, or an empty text of an account is unknown.
func Parse(in rules.Input, text *string) rules.Value {
	if text == nil || in.Kind == rules.OfAccount && in.Type == rules.Text && *text == "" {
		return rules.Value{}
	}
	switch in.Type {
	case rules.Number:
		v, err := strconv.ParseFloat(*text, 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return rules.Value{}
		}
		return rules.Num(v)
	case rules.Bool:
		return rules.Truth(*text == "true" || *text == "1")
	case rules.Time:
		ms, err := strconv.ParseInt(*text, 10, 64)
		if err != nil {
			return rules.Value{}
		}
		return rules.At(time.UnixMilli(ms).UTC())
	default:
		return rules.Str(*text)
	}
}
