package rules

import "tidemark/schemas"

// Compiler compiles conditions for tests.
func Compiler(cat *schemas.Catalogue, tables []Table) (func(text string, want Type) (*Condition, error), error) {
	env, err := environment()
	if err != nil {
		return nil, err
	}
	c := &compiler{words: newVocabulary(cat, tables), env: env}
	return func(text string, want Type) (*Condition, error) { return c.compile(text, schemas.Pos{}, want) }, nil
}
