package main

type importCmd struct {
	Accounts importAccountsCmd `cmd:"" help:"Import accounts of a CRM or billing system from CSV or JSON lines."`
}
