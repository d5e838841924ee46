package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/schemas"
	"tidemark/schemas/rules"
)

func TestTheSchemaIsUpToDate(t *testing.T) {
	text, err := generate("..", false)
	require.NoError(t, err)
	require.Equal(t, string(text), string(schemas.JSONSchema), "go generate ./schemas")

	text, err = generate("../rules", true)
	require.NoError(t, err)
	require.Equal(t, string(text), string(rules.JSONSchema), "go generate ./schemas/rules")
}
