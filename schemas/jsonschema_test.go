package schemas

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// editor is what an editor has of a catalogue: the schema.
func editor(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(JSONSchema))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("catalogue.schema.json", doc))
	s, err := c.Compile("catalogue.schema.json")
	require.NoError(t, err)
	return s
}

// asJSON is a YAML document as the schema's validator takes it.
func asJSON(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	require.NoError(t, yaml.Unmarshal(text, &v))
	return v
}

func TestTheSchemaTakesWhatTheDecoderTakes(t *testing.T) {
	schema := editor(t)
	files, err := filepath.Glob("testdata/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, path := range append(files, "catalogue.yaml", "health.yaml") {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, schema.Validate(asJSON(t, text)), path)
	}
	for _, path := range files {
		c, err := Load(path)
		require.NoError(t, err)
		_, err = Compile(c)
		require.NoError(t, err)
	}
}

// TestNeitherTakesUnknownKeys puts a key that is not there into every mapping of a catalogue that has every section.
func TestNeitherTakesUnknownKeys(t *testing.T) {
	schema := editor(t)
	text, err := os.ReadFile("testdata/everything.yaml")
	require.NoError(t, err)
	tried := 0
	for place := 0; ; place++ {
		var doc yaml.Node
		require.NoError(t, yaml.Unmarshal(text, &doc))
		var all []*yaml.Node
		var names []string
		mappings(doc.Content[0], "", &all, &names)
		if place == len(all) {
			break
		}
		switch names[place] { // these take any key
		case "events", "active_when", "where", "segments", "entitlements", "groups":
			if names[place] != "segments" || place > 0 && names[place-1] != "segments" {
				continue
			}
		}
		tried++
		all[place].Content = append(all[place].Content, &yaml.Node{Kind: yaml.ScalarNode, Value: "zzz"}, &yaml.Node{Kind: yaml.ScalarNode, Value: "1"})
		broken, err := yaml.Marshal(&doc)
		require.NoError(t, err)
		_, err = decode("c.yaml", broken)
		require.ErrorContains(t, err, `has no key "zzz"`, "in %s", names[place])
		require.Error(t, schema.Validate(asJSON(t, broken)), "in %s", names[place])
	}
	require.Greater(t, tried, 40)
}

// mappings are those of a document, with the key that each stands under.
func mappings(n *yaml.Node, key string, all *[]*yaml.Node, names *[]string) {
	if n.Kind == yaml.MappingNode {
		*all, *names = append(*all, n), append(*names, key)
		for i := 0; i+1 < len(n.Content); i += 2 {
			mappings(n.Content[i+1], n.Content[i].Value, all, names)
		}
		return
	}
	for _, item := range n.Content {
		mappings(item, key, all, names)
	}
}

// TestEveryKeyIsTried holds the catalogue of the other tests to what it says of itself.
func TestEveryKeyIsTried(t *testing.T) {
	text, err := os.ReadFile("testdata/everything.yaml")
	require.NoError(t, err)
	var doc yaml.Node
	require.NoError(t, yaml.Unmarshal(text, &doc))
	used := map[string]bool{}
	var keys func(*yaml.Node)
	keys = func(n *yaml.Node) {
		for i, c := range n.Content {
			if n.Kind == yaml.MappingNode && i%2 == 0 {
				used[c.Value] = true
			} else {
				keys(c)
			}
		}
	}
	keys(&doc)
	var schema struct {
		Properties map[string]any
		Defs       map[string]struct{ Properties map[string]any } `yaml:"$defs"`
	}
	require.NoError(t, yaml.Unmarshal(JSONSchema, &schema))
	require.NotEmpty(t, schema.Properties)
	for name, def := range schema.Defs {
		for key := range def.Properties {
			require.True(t, used[key], "%s.%s", name, key)
		}
	}
	for key := range schema.Properties {
		require.True(t, used[key], key)
	}
}
