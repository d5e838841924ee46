package main

import "tidemark/schemas"

type catalogueSchemaCmd struct{}

// Run prints the schema. Written to a file beside the catalogue it is found by "# yaml-language-server: $schema=FILE".
func (*catalogueSchemaCmd) Run(g *globals) error {
	_, err := g.stdout.Write(schemas.JSONSchema)
	return err
}
