package rules

import (
	_ "embed"
	"reflect"

	"tidemark/schemas"
)

//go:generate go run ../genschema -rules rules.schema.json

// JSONSchema is the JSON Schema (draft 2020-12) of a file of rules, from which editors complete.
//
//go:embed rules.schema.json
var JSONSchema []byte

// GenerateJSONSchema writes the schema from the types that the decoder fills, with the words that describe gives to a key of a
// type.
func GenerateJSONSchema(describe func(typeName, field string) string) ([]byte, error) {
	return schemas.SchemaOf(schemas.Shape{
		Of: reflect.TypeFor[File](), Title: "Tidemark rules", Description: "Rules over accounts, which tidemark triggers run evaluates.",
		Choices: map[string][]string{
			"File.pack": {"none"}, "Declaration.severity": severities, "QuietHours.days": weekdays, "QuietHours.all_day": weekdays,
		},
		Needed:   map[string][]string{"File": {"rules"}, "Declaration": {"name", "description", "playbook", "owner"}},
		Describe: describe,
	})
}
