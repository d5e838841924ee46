// Package decoders compares JSON decoders by what the pipeline wants of a telemetry event. It is a module of its own, so
// that the pipeline does not depend on them.
package decoders

import (
	stdjson "encoding/json"
	"fmt"

	"github.com/buger/jsonparser"
	"github.com/bytedance/sonic"
	goccy "github.com/goccy/go-json"
	"github.com/minio/simdjson-go"
	segmentio "github.com/segmentio/encoding/json"
	"github.com/valyala/fastjson"

	"tidemark/pipeline/decode"
	"tidemark/schemas"
)

// event is what is wanted of an event's text. Decoders that can fill a struct fill this one.
type event struct {
	Type              string `json:"type"`
	Action            string `json:"action"`
	Event             string `json:"event"`
	MessageID         string `json:"messageId"`
	UserID            string `json:"userId"`
	AnonymousID       string `json:"anonymousId"`
	GroupID           string `json:"groupId"`
	OriginalTimestamp string `json:"originalTimestamp"`
	SentAt            string `json:"sentAt"`
	ReceivedAt        string `json:"receivedAt"`
	Timestamp         string `json:"timestamp"`
	Context           struct {
		GroupID string `json:"groupId"`
	} `json:"context"`
	Properties struct {
		Feature    string  `json:"feature"`
		DurationMS float64 `json:"duration_ms"`
	} `json:"properties"`
}

// decoder gets what is wanted out of a text. What it returns is valid until it is called again.
type decoder struct {
	name   string
	decode func(text []byte) (*event, error)
}

// all returns new decoders. Each keeps what it can reuse, as its documentation advises.
func all() []decoder {
	return []decoder{
		structs("encoding/json", stdjson.Unmarshal),
		structs("goccy/go-json", goccy.Unmarshal),
		structs("segmentio/encoding", func(b []byte, v any) error {
			_, err := segmentio.Parse(b, v, segmentio.ZeroCopy)
			return err
		}),
		structs("bytedance/sonic", sonic.ConfigFastest.Unmarshal),
		newSimdjson(),
		newFastjson(),
		{"buger/jsonparser", withJSONParser},
	}
}

func structs(name string, unmarshal func([]byte, any) error) decoder {
	var ev event
	return decoder{name, func(text []byte) (*event, error) {
		ev = event{}
		return &ev, unmarshal(text, &ev)
	}}
}

// paths are what is wanted, in the order of fields.
var paths = [][]string{
	{"type"}, {"action"}, {"event"}, {"messageId"}, {"userId"}, {"anonymousId"}, {"groupId"}, {"originalTimestamp"}, {"sentAt"},
	{"receivedAt"}, {"timestamp"}, {"context", "groupId"}, {"properties", "feature"},
}

func (ev *event) fields() []*string {
	return []*string{
		&ev.Type, &ev.Action, &ev.Event, &ev.MessageID, &ev.UserID, &ev.AnonymousID, &ev.GroupID, &ev.OriginalTimestamp, &ev.SentAt,
		&ev.ReceivedAt, &ev.Timestamp, &ev.Context.GroupID, &ev.Properties.Feature,
	}
}

// newFastjson parses into a tree whose memory is reused, and looks the fields up.
func newFastjson() decoder {
	var p fastjson.Parser
	var ev event
	into := ev.fields()
	return decoder{"valyala/fastjson", func(text []byte) (*event, error) {
		v, err := p.ParseBytes(text)
		if err != nil {
			return nil, err
		}
		for i, path := range paths {
			*into[i] = string(v.GetStringBytes(path...))
		}
		ev.Properties.DurationMS = v.GetFloat64("properties", "duration_ms")
		return &ev, nil
	}}
}

// withJSONParser walks the text once for all paths. It does not check what it passes over.
func withJSONParser(text []byte) (*event, error) {
	var ev event
	into := ev.fields()
	wanted := append(paths[:len(paths):len(paths)], []string{"properties", "duration_ms"})
	var failed error
	jsonparser.EachKey(text, func(i int, value []byte, kind jsonparser.ValueType, err error) {
		switch {
		case err != nil:
			failed = err
		case kind == jsonparser.String:
			*into[i], failed = jsonparser.ParseString(value)
		case kind == jsonparser.Number && i == len(paths):
			ev.Properties.DurationMS, failed = jsonparser.ParseFloat(value)
		}
	}, wanted...)
	return &ev, failed
}

// newSimdjson parses into a tape that is reused, and walks it once.
func newSimdjson() decoder {
	var parsed *simdjson.ParsedJson
	var root, value simdjson.Iter
	var object, inner simdjson.Object
	var ev event
	walk := func(o *simdjson.Object, each func(name string, kind simdjson.Type) error) error {
		for {
			name, kind, err := o.NextElement(&value)
			if err != nil || kind == simdjson.TypeNone {
				return err
			}
			if err := each(name, kind); err != nil {
				return err
			}
		}
	}
	top := map[string]*string{
		"type": &ev.Type, "action": &ev.Action, "event": &ev.Event, "messageId": &ev.MessageID, "userId": &ev.UserID,
		"anonymousId": &ev.AnonymousID, "groupId": &ev.GroupID, "originalTimestamp": &ev.OriginalTimestamp, "sentAt": &ev.SentAt,
		"receivedAt": &ev.ReceivedAt, "timestamp": &ev.Timestamp,
	}
	nested := map[string]*string{"groupId": &ev.Context.GroupID, "feature": &ev.Properties.Feature}
	ofNested := func(name string, kind simdjson.Type) (err error) {
		if into := nested[name]; into != nil && kind == simdjson.TypeString {
			*into, err = value.String()
		} else if name == "duration_ms" {
			ev.Properties.DurationMS, err = value.Float()
		}
		return err
	}
	ofTop := func(name string, kind simdjson.Type) (err error) {
		if into := top[name]; into != nil && kind == simdjson.TypeString {
			*into, err = value.String()
			return err
		}
		if kind != simdjson.TypeObject || name != "context" && name != "properties" {
			return nil
		}
		if _, err = value.Object(&inner); err != nil {
			return err
		}
		return walk(&inner, ofNested)
	}
	return decoder{"minio/simdjson-go", func(text []byte) (*event, error) {
		var err error
		if parsed, err = simdjson.Parse(text, parsed, simdjson.WithCopyStrings(false)); err != nil {
			return nil, err
		}
		ev = event{}
		root = parsed.Iter()
		root.AdvanceInto()
		if _, _, err = root.Root(&value); err != nil {
			return nil, err
		}
		if _, err = value.Object(&object); err != nil {
			return nil, err
		}
		return &ev, walk(&object, ofTop)
	}}
}

// ours returns the pipeline's decoder, which besides dates the event, hashes its ids and refuses what cannot be folded.
func ours(limits decode.Limits) (*decode.Telemetry, error) {
	catalogue, err := schemas.Builtin()
	if err != nil {
		return nil, fmt.Errorf("the built-in catalogue: %w", err)
	}
	program, err := schemas.Compile(catalogue)
	if err != nil {
		return nil, fmt.Errorf("the built-in catalogue: %w", err)
	}
	return decode.NewTelemetry(program, limits), nil
}
