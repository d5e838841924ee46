package main

type importCmd struct {
	Accounts importAccountsCmd `cmd:"" help:"Import accounts of a CRM or billing system from CSV or JSON lines."`
	Events   importEventsCmd   `cmd:"" help:"Import product events from files: exports of Segment's and PostHog's, and CloudEvents."`
}
