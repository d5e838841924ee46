package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/schemas"
)

func TestTheSchemaIsUpToDate(t *testing.T) {
	text, err := generate("..")
	require.NoError(t, err)
	require.Equal(t, string(text), string(schemas.JSONSchema), "go generate ./schemas")
}
