package normalise

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"tidemark/pipeline/decode"
	"tidemark/schemas"
)

const (
	// maxSchemas is the most schemas that are kept of a topic. A topic has a few; the ids are the senders' to write.
	maxSchemas = 1000
	// unknownFor is how long the registry is not asked again for an id that it does not know.
	unknownFor = 10 * time.Second
	// maxReferences is how many schemas one may refer to, directly or not.
	maxReferences = 100
)

// read makes a JSON object of an encoded record, without the header that names its schema.
type read func(payload []byte) ([]byte, *decode.Rejection)

// registry has the schemas that a topic's records name, as readers. It belongs to the topic's goroutine.
type registry struct {
	client  *sr.Client
	kind    sr.SchemaType
	known   map[int]read
	unknown map[int]time.Time // until when it is not asked for again
}

// kinds are the formats' types of schemas, and what makes a reader of one.
var kinds = map[string]struct {
	kind    sr.SchemaType
	compile func(text string, references []reference) (read, error)
}{
	"avro":        {sr.TypeAvro, compileAvro},
	"protobuf":    {sr.TypeProtobuf, compileProtobuf},
	"json_schema": {sr.TypeJSON, compileJSONSchema},
}

// reference is a schema that another refers to, after those that it refers to itself.
type reference struct{ name, text string }

// registered returns the decoder of records in Confluent's wire format: a zero byte, the schema's id in four, and what it describes.
func (t *topic) registered() decoder {
	reg := &registry{client: t.stage.config.Registry, kind: kinds[t.declared.Format].kind, known: map[int]read{}, unknown: map[int]time.Time{}}
	return func(ctx context.Context, r *kgo.Record) (document, error) {
		if len(r.Value) == 0 {
			return document{}, nil // a tombstone
		}
		if len(r.Value) > decode.MaxValue {
			return document{}, &decode.Rejection{Reason: schemas.Oversize, Detail: fmt.Sprintf("%d bytes, at most %d are taken", len(r.Value), decode.MaxValue)}
		}
		id, payload, err := new(sr.ConfluentHeader).DecodeID(r.Value)
		if err != nil {
			return document{}, malformed("", "the record does not begin with a zero byte and the id of a schema, as a serializer for a schema registry writes")
		}
		read, err := reg.reader(ctx, id, t.declared.Format)
		if err != nil {
			return document{}, err
		}
		value, rejection := read(payload)
		if rejection != nil {
			rejection.Detail += fmt.Sprintf(" (schema %d)", id)
			return document{}, rejection
		}
		return document{json: value}, nil
	}
}

// reader returns the reader of a schema. An error that is no rejection may pass.
func (g *registry) reader(ctx context.Context, id int, format string) (read, error) {
	if read, ok := g.known[id]; ok {
		return read, nil
	}
	missing := &decode.Rejection{Reason: schemas.Malformed, Field: "schema", Detail: fmt.Sprintf("the schema registry has no schema %d: register it, then redrive the record", id)}
	if time.Now().Before(g.unknown[id]) {
		return nil, missing
	}
	schema, err := g.client.SchemaByID(ctx, id)
	if notFound(err) {
		if len(g.unknown) >= maxSchemas {
			clear(g.unknown)
		}
		g.unknown[id] = time.Now().Add(unknownFor)
		return nil, missing
	}
	if err != nil {
		return nil, fmt.Errorf("ask the schema registry for schema %d: %w", id, err)
	}
	if schema.Type != g.kind {
		return nil, malformed("schema", "schema %d is of the type %s, but the topic is declared as %s", id, schema.Type, format)
	}
	references, err := g.references(ctx, schema.References, map[string]bool{})
	if err != nil {
		return nil, err
	}
	read, err := kinds[format].compile(schema.Schema, references)
	if err != nil {
		read = broken(fmt.Sprintf("schema %d cannot be read: %s", id, err))
	}
	if len(g.known) >= maxSchemas {
		clear(g.known)
	}
	g.known[id] = read
	return read, nil
}

// broken refuses every record of a schema.
func broken(why string) read {
	return func([]byte) ([]byte, *decode.Rejection) { return nil, malformed("schema", "%s", why) }
}

// references returns the schemas that are referred to, those first that others of them refer to.
func (g *registry) references(ctx context.Context, refs []sr.SchemaReference, seen map[string]bool) ([]reference, error) {
	var all []reference
	for _, ref := range refs {
		if seen[ref.Name] {
			continue
		}
		if seen[ref.Name] = true; len(seen) > maxReferences {
			return nil, malformed("schema", "the schema refers to more than %d others", maxReferences)
		}
		found, err := g.client.SchemaByVersion(ctx, ref.Subject, ref.Version)
		if notFound(err) {
			return nil, malformed("schema", "the schema refers to version %d of %s, which the schema registry does not have", ref.Version, ref.Subject)
		}
		if err != nil {
			return nil, fmt.Errorf("ask the schema registry for %s: %w", ref.Subject, err)
		}
		below, err := g.references(ctx, found.References, seen)
		if err != nil {
			return nil, err
		}
		all = append(append(all, below...), reference{ref.Name, found.Schema.Schema})
	}
	return all, nil
}

// notFound says whether the registry itself answered that it does not have what was asked for. Another 404 is a wrong URL.
func notFound(err error) bool {
	var said *sr.ResponseError
	return errors.As(err, &said) && said.ErrorCode/100 == http.StatusNotFound // 40401 a subject, 40402 a version, 40403 a schema
}
