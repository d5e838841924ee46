package normalise

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/pipeline/decode"
)

// FuzzFormats holds that no record of any format brings the stage down: it is one JSON object, says nothing, or is a dead letter with a reason.
func FuzzFormats(f *testing.F) {
	file := func(name string) string {
		text, err := os.ReadFile("../../schemas/formats/" + name)
		require.NoError(f, err)
		return string(text)
	}
	avro, err := compileAvro(file("ticket.avsc"), nil)
	require.NoError(f, err)
	nested, err := compileAvro(`{"type":"record","name":"N","fields":[{"name":"v","type":["null","boolean","int","double","bytes","string",{"type":"array","items":"null"},{"type":"map","values":"N"},
		{"type":"fixed","name":"F","size":16,"logicalType":"uuid"},{"type":"long","logicalType":"timestamp-micros"}]},{"name":"d","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}}]}`, nil)
	require.NoError(f, err)
	proto, err := compileProtobuf(file("tidemark.proto"), nil)
	require.NoError(f, err)
	known, err := compileProtobuf(`syntax="proto2"; import "google/protobuf/struct.proto"; import "google/protobuf/any.proto"; import "google/protobuf/wrappers.proto"; import "google/protobuf/duration.proto";
		message M { optional google.protobuf.Struct s=1; optional google.protobuf.Any a=2; map<int32,M> m=3; repeated group G=4 { optional float f=1; } enum E { X=0; } optional E e=5; optional bytes b=6;
		optional google.protobuf.Int64Value w=7; optional google.protobuf.Duration d=8; }`, nil)
	require.NoError(f, err)
	schema, err := compileJSONSchema(file("ticket.schema.json"), nil)
	require.NoError(f, err)
	registered := func(read read) func(*kgo.Record) (document, *decode.Rejection) {
		return func(r *kgo.Record) (document, *decode.Rejection) {
			value, rejection := read(r.Value)
			return document{json: value}, rejection
		}
	}
	formats := []func(*kgo.Record) (document, *decode.Rejection){
		readJSON, readCloudEvent, readDebezium, registered(avro), registered(nested), registered(proto), registered(known), registered(schema),
	}
	for i := range formats {
		f.Add(uint8(i), "application/cloudevents+json", "1.0", []byte(`{"op":"d","before":{"id":1},"source":{"ts_ms":1e3}}`))
		f.Add(uint8(i), "text/plain; x", "", []byte("\x02\x02\x01\x00\x10\xff"))
		f.Add(uint8(i), "", "\xff", []byte{})
	}
	f.Fuzz(func(t *testing.T, format uint8, contentType, version string, value []byte) {
		r := &kgo.Record{Value: value, Headers: []kgo.RecordHeader{{Key: "content-type", Value: []byte(contentType)}, {Key: "ce_specversion", Value: []byte(version)}}}
		doc, rejection := formats[int(format)%len(formats)](r)
		if rejection != nil {
			require.NotEmpty(t, rejection.Reason)
			require.NotEmpty(t, rejection.Detail)
			return
		}
		if doc.json != nil {
			var object map[string]any
			require.NoError(t, json.Unmarshal(doc.json, &object), "%s", doc.json)
			require.NotNil(t, object)
		}
	})
}
