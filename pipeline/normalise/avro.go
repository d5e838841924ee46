package normalise

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/avro"

	"tidemark/pipeline/decode"
)

// compileAvro returns the reader of an Avro schema.
func compileAvro(text string, references []reference) (read, error) {
	var cache avro.SchemaCache
	for _, r := range references {
		if _, err := cache.Parse(r.text); err != nil {
			return nil, fmt.Errorf("its reference %s: %w", r.name, err)
		}
	}
	schema, err := cache.Parse(text)
	if err != nil {
		return nil, err
	}
	return func(payload []byte) ([]byte, *decode.Rejection) {
		var v any
		rest, err := schema.Decode(payload, &v)
		switch {
		case err != nil:
			return nil, malformed("", "the record does not fit its schema: %s", err)
		case len(rest) > 0:
			return nil, malformed("", "%d bytes follow what the schema describes", len(rest))
		}
		return toJSON(v)
	}, nil
}

// toJSON makes JSON of a decoded record, which must be an object.
func toJSON(v any) ([]byte, *decode.Rejection) {
	object, ok := plainValue(v).(map[string]any)
	if !ok {
		return nil, malformed("", "the schema is not of a record")
	}
	out, err := json.Marshal(object)
	if err != nil {
		return nil, malformed("", "%s", err)
	}
	return out, nil
}

// plainValue puts what Avro knows in JSON's terms: times are RFC 3339, bytes base64, decimals numbers.
func plainValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			v[name] = plainValue(inner)
		}
		return v
	case []any:
		for i, inner := range v {
			v[i] = plainValue(inner)
		}
		return v
	case nil, bool, string, int32, int64:
		return v
	case float32:
		return number(float64(v), 32)
	case float64:
		return number(v, 64)
	case []byte:
		return base64.StdEncoding.EncodeToString(v)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case time.Duration:
		return time.Time{}.Add(v).Format("15:04:05.999999")
	case *big.Rat:
		return json.Number(strings.TrimSuffix(strings.TrimRight(v.FloatString(30), "0"), "."))
	case [16]byte:
		return uuid.UUID(v).String()
	}
	return fmt.Sprint(v)
}

// number is a float as JSON has it; what is none there is null.
func number(f float64, bits int) any {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil
	}
	return json.Number(strconv.FormatFloat(f, 'g', -1, bits))
}
