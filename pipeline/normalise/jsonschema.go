package normalise

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"tidemark/pipeline/decode"
)

// mainSchema is what a registered schema is called to its compiler. References are found beside it.
const mainSchema = "registry:///schema.json"

// unregistered loads nothing: a schema may refer to others in the registry, and to no file and no server.
type unregistered struct{}

func (unregistered) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s is not registered as a reference of the schema", url)
}

// compileJSONSchema returns the reader of JSON that holds to a schema.
func compileJSONSchema(text string, references []reference) (read, error) {
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(unregistered{})
	for _, r := range append(references, reference{mainSchema, text}) {
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(r.text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.name, err)
		}
		url := r.name
		if !strings.Contains(url, "://") {
			url = "registry:///" + url
		}
		if err := compiler.AddResource(url, document); err != nil {
			return nil, err
		}
	}
	schema, err := compiler.Compile(mainSchema)
	if err != nil {
		return nil, err
	}
	return func(payload []byte) ([]byte, *decode.Rejection) {
		if rejection := checkObject("the record", payload); rejection != nil {
			return nil, rejection
		}
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(payload))
		if err != nil {
			return nil, malformed("", "%s", err)
		}
		if err := schema.Validate(document); err != nil {
			return nil, invalid(err)
		}
		return payload, nil
	}, nil
}

// invalid names the deepest place that does not hold to the schema.
func invalid(err error) *decode.Rejection {
	field := ""
	if found := (*jsonschema.ValidationError)(nil); errors.As(err, &found) {
		for len(found.Causes) > 0 {
			found = found.Causes[0]
		}
		field = strings.Join(found.InstanceLocation, ".")
	}
	return malformed(field, "the record does not hold to its schema: %s", strings.Join(strings.Fields(err.Error()), " "))
}
