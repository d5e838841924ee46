package normalise

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/bufbuild/protocompile"
	"github.com/twmb/franz-go/pkg/sr"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"tidemark/pipeline/decode"
)

// mainFile is what a registered schema's own file is called to its compiler.
const mainFile = "__registered.proto"

// maxIndex is how deep the message that a record names may be nested in the schema.
const maxIndex = 16

// compileProtobuf returns the reader of a .proto file, in which a record names the message that it is of.
func compileProtobuf(text string, references []reference) (read, error) {
	files := map[string]string{mainFile: text}
	for _, r := range references {
		files[r.name] = r.text
	}
	compiler := protocompile.Compiler{Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{Accessor: protocompile.SourceAccessorFromMap(files)})}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second) // a compiler's bound; it talks to nobody
	defer cancel()
	compiled, err := compiler.Compile(ctx, mainFile)
	if err != nil {
		return nil, err
	}
	messages := compiled[0].Messages()
	return func(payload []byte) ([]byte, *decode.Rejection) {
		index, payload, err := new(sr.ConfluentHeader).DecodeIndex(payload, maxIndex)
		if err != nil {
			return nil, malformed("", "which of the schema's messages the record is of cannot be read: %s", err)
		}
		descriptor := messageAt(messages, index)
		if descriptor == nil {
			return nil, malformed("", "the schema has no message %v", index)
		}
		m := dynamicpb.NewMessage(descriptor)
		if err := proto.Unmarshal(payload, m); err != nil {
			return nil, malformed("", "the record is no %s: %s", descriptor.FullName(), err)
		}
		out, err := json.Marshal(protoObject(m))
		if err != nil {
			return nil, malformed("", "%s", err)
		}
		return out, nil
	}, nil
}

func messageAt(messages protoreflect.MessageDescriptors, index []int) protoreflect.MessageDescriptor {
	var found protoreflect.MessageDescriptor
	for _, i := range index {
		if i < 0 || i >= messages.Len() {
			return nil
		}
		found = messages.Get(i)
		messages = found.Messages()
	}
	return found
}

// protoObject has a message's fields by the names of the schema. A number that the schema cannot tell from none is 0: a score of 0 is one.
func protoObject(m protoreflect.Message) map[string]any {
	object := map[string]any{}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		numeric := !f.HasPresence() && !f.IsList() && !f.IsMap() && f.Kind() != protoreflect.StringKind && f.Kind() != protoreflect.BytesKind && f.Kind() != protoreflect.EnumKind
		if m.Has(f) || numeric {
			object[string(f.Name())] = protoField(f, m.Get(f))
		}
	}
	return object
}

func protoField(f protoreflect.FieldDescriptor, v protoreflect.Value) any {
	switch {
	case f.IsMap():
		object := map[string]any{}
		v.Map().Range(func(k protoreflect.MapKey, inner protoreflect.Value) bool {
			object[k.String()] = protoValue(f.MapValue(), inner)
			return true
		})
		return object
	case f.IsList():
		list := []any{}
		for i := range v.List().Len() {
			list = append(list, protoValue(f, v.List().Get(i)))
		}
		return list
	}
	return protoValue(f, v)
}

// protoValue is one value. Numbers stay numbers, which protojson's of 64 bits do not; well-known types are as it has them.
func protoValue(f protoreflect.FieldDescriptor, v protoreflect.Value) any {
	switch f.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		if f.Message().ParentFile().Package() != "google.protobuf" {
			return protoObject(v.Message())
		}
		out, err := protojson.Marshal(v.Message().Interface())
		if err != nil {
			return nil // a time beyond what can be written, or an Any of an unknown type
		}
		return json.RawMessage(out)
	case protoreflect.EnumKind:
		if value := f.Enum().Values().ByNumber(v.Enum()); value != nil {
			return string(value.Name())
		}
		return int32(v.Enum())
	case protoreflect.BytesKind:
		return base64.StdEncoding.EncodeToString(v.Bytes())
	case protoreflect.FloatKind:
		return number(v.Float(), 32)
	case protoreflect.DoubleKind:
		return number(v.Float(), 64)
	}
	return v.Interface()
}
