package main

type catalogueCmd struct {
	Schema catalogueSchemaCmd `cmd:"" help:"Print the JSON Schema of a catalogue file, from which editors complete."`
	Diff   catalogueDiffCmd   `cmd:"" help:"Show what a catalogue changes, and whether a rebuild is advised."`
	Test   catalogueTestCmd   `cmd:"" help:"Run tests of a catalogue: events in, numbers expected, by the pipeline and the views themselves."`
}
