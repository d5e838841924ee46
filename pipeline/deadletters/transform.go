package deadletters

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"

	"tidemark/schemas"
)

// declared is a transform as it is written: the letters that it is for, what is done to their values one after the other, and the key.
type declared struct {
	When  string       `yaml:"when"`
	Steps []stepOfFile `yaml:"steps"`
	Key   string       `yaml:"key"`
	Pos   schemas.Pos  `yaml:"-"`
}

type stepOfFile struct {
	Set    string      `yaml:"set"`   // path
	Value  any         `yaml:"value"` // what it is set to
	CEL    string      `yaml:"cel"`   // or an expression for it
	Move   string      `yaml:"move"`  // path
	To     string      `yaml:"to"`    // path
	Remove string      `yaml:"remove"`
	Pos    schemas.Pos `yaml:"-"`
}

// Transform changes the values of letters. A nil one changes nothing.
type Transform struct {
	when  *expression
	steps []step
	key   *expression
}

// step is one change; of an expression v holds what is known of the letter.
type step func(value json.RawMessage, v map[string]any) (json.RawMessage, error)

// costLimit bounds one evaluation, in CEL's units: expressions over lists may loop.
const costLimit = 100_000

// LoadTransform reads a transform from a YAML file. Mistakes are told with file and line.
func LoadTransform(file string) (*Transform, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the transform: %w", err)
	}
	var d declared
	if err := schemas.DecodeStrict(file, data, &d); err != nil {
		return nil, err
	}
	if len(d.Steps) == 0 && d.Key == "" {
		return nil, fmt.Errorf("%s: it changes nothing: give steps (set, move, remove) or key", file)
	}
	c, err := newCompiler()
	if err != nil {
		return nil, err
	}
	t := &Transform{when: c.compile(d.When, d.Pos.At("when"), cel.BoolType), key: c.compile(d.Key, d.Pos.At("key"), cel.StringType)}
	for _, s := range d.Steps {
		t.steps = append(t.steps, c.step(s))
	}
	return t, errors.Join(c.errs...)
}

// compiler gathers the mistakes.
type compiler struct {
	env  *cel.Env
	errs []error
}

func newCompiler() (*compiler, error) {
	env, err := cel.NewEnv(cel.Variable("record", cel.DynType), cel.Variable("key", cel.StringType), cel.Variable("topic", cel.StringType),
		cel.Variable("reason", cel.StringType), cel.Variable("at", cel.TimestampType))
	if err != nil {
		return nil, fmt.Errorf("set up CEL: %w", err)
	}
	return &compiler{env: env}, nil
}

type expression struct {
	source  string
	program cel.Program
}

func (c *compiler) compile(source string, pos schemas.Pos, want *cel.Type) *expression {
	if source == "" {
		return nil
	}
	ast, issues := c.env.Compile(source)
	if issues.Err() != nil {
		c.errs = append(c.errs, fmt.Errorf("%s: %w", pos, issues.Err()))
		return nil
	}
	if got := ast.OutputType(); want != nil && !got.IsExactType(want) && !got.IsExactType(cel.DynType) {
		c.errs = append(c.errs, fmt.Errorf("%s: %q is a %s, not a %s", pos, source, got, want))
		return nil
	}
	program, err := c.env.Program(ast, cel.CostLimit(costLimit))
	if err != nil {
		c.errs = append(c.errs, fmt.Errorf("%s: %w", pos, err))
		return nil
	}
	return &expression{source, program}
}

func (e *expression) eval(v map[string]any) (ref.Val, error) {
	out, _, err := e.program.Eval(v)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", e.source, err)
	}
	return out, nil
}

func (c *compiler) path(text string, pos schemas.Pos) path {
	p, err := parsePath(text)
	if err != nil {
		c.errs = append(c.errs, fmt.Errorf("%s: %w", pos, err))
	}
	return p
}

func (c *compiler) step(s stepOfFile) step {
	switch {
	case s.Set != "" && s.Move == "" && s.Remove == "" && s.To == "" && (s.CEL == "") != (s.Value == nil):
		return c.set(s)
	case s.Move != "" && s.To != "" && s.Set == "" && s.Remove == "" && s.CEL == "" && s.Value == nil:
		from, to := c.path(s.Move, s.Pos), c.path(s.To, s.Pos)
		return func(value json.RawMessage, _ map[string]any) (json.RawMessage, error) {
			what := get(value, from)
			if what == nil {
				return value, nil
			}
			return put(remove(value, from), to, bytes.Clone(what))
		}
	case s.Remove != "" && s.Set == "" && s.Move == "" && s.To == "" && s.CEL == "" && s.Value == nil:
		at := c.path(s.Remove, s.Pos)
		return func(value json.RawMessage, _ map[string]any) (json.RawMessage, error) { return remove(value, at), nil }
	}
	c.errs = append(c.errs, fmt.Errorf("%s: a step is {set: PATH, value: VALUE}, {set: PATH, cel: EXPRESSION}, {move: PATH, to: PATH} or {remove: PATH}", s.Pos))
	return nil
}

func (c *compiler) set(s stepOfFile) step {
	at := c.path(s.Set, s.Pos)
	if s.CEL == "" {
		text, err := json.Marshal(s.Value)
		if err != nil {
			c.errs = append(c.errs, fmt.Errorf("%s: the value is none of JSON's: %w", s.Pos, err))
		}
		return func(value json.RawMessage, _ map[string]any) (json.RawMessage, error) { return put(value, at, text) }
	}
	e := c.compile(s.CEL, s.Pos, nil)
	return func(value json.RawMessage, v map[string]any) (json.RawMessage, error) {
		out, err := e.eval(v)
		if err != nil {
			return nil, err
		}
		text, err := toJSON(out)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", e.source, err)
		}
		return put(value, at, text)
	}
}

// Apply returns the key and the value that the letter's record should have; meant is false for a letter that the transform is not for.
func (t *Transform) Apply(l *Letter) (key, value []byte, meant bool, err error) {
	if t == nil {
		return l.Key, l.Value, true, nil
	}
	v := map[string]any{"key": string(l.Key), "topic": l.Topic, "reason": l.Reason, "at": l.At}
	text := json.RawMessage(l.Value)
	if v["record"], err = document(text); err != nil {
		return nil, nil, true, err
	}
	if t.when != nil {
		out, err := t.when.eval(v)
		if err != nil {
			return nil, nil, true, fmt.Errorf("when: %w", err)
		}
		if out != types.True {
			return nil, nil, false, nil
		}
	}
	for i, s := range t.steps {
		if text, err = s(text, v); err == nil {
			v["record"], err = document(text)
		}
		if err != nil {
			return nil, nil, true, fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	if t.key == nil {
		return l.Key, text, true, nil
	}
	out, err := t.key.eval(v)
	if err != nil {
		return nil, nil, true, fmt.Errorf("key: %w", err)
	}
	name, ok := out.Value().(string)
	if !ok || name == "" {
		return nil, nil, true, fmt.Errorf("key: %q is no text", t.key.source)
	}
	return []byte(name), text, true, nil
}

// document decodes an object for CEL: whole numbers are ints, others doubles.
func document(text []byte) (any, error) {
	if _, err := parseObject(text); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var out any
	if err := d.Decode(&out); err != nil {
		return nil, errNoObject
	}
	return numbers(out), nil
}

func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, err := v.Float64()
		if err != nil {
			return v.String() // larger than any
		}
		return f
	case map[string]any:
		for name, inner := range v {
			v[name] = numbers(inner)
		}
	case []any:
		for i, inner := range v {
			v[i] = numbers(inner)
		}
	}
	return v
}

// toJSON writes what an expression has given; a time as RFC 3339.
func toJSON(v ref.Val) (json.RawMessage, error) {
	switch x := v.Value().(type) {
	case time.Time:
		return json.Marshal(x.UTC().Format(time.RFC3339Nano))
	case string, bool, int64, uint64, float64:
		return json.Marshal(x)
	}
	native, err := v.ConvertToNative(reflect.TypeFor[*structpb.Value]())
	if err != nil {
		return nil, fmt.Errorf("%s is none of JSON's values: %w", v.Type().TypeName(), err)
	}
	value, ok := native.(*structpb.Value)
	if !ok {
		return nil, fmt.Errorf("%s is none of JSON's values", v.Type().TypeName())
	}
	text, err := protojson.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("%s is none of JSON's values: %w", v.Type().TypeName(), err)
	}
	var compact bytes.Buffer // protojson puts spaces where it likes
	err = json.Compact(&compact, text)
	return compact.Bytes(), err
}
