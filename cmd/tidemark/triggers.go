package main

// triggersCmd has a field a subcommand, each in a file of its own.
type triggersCmd struct {
	Run        triggersRunCmd      `cmd:"" help:"Evaluate the rules and deliver their alerts. Of several processes one does; the others stand by."`
	Ls         triggersLsCmd       `cmd:"" help:"List the alerts that are firing, or the silences."`
	Check      triggersCheckCmd    `cmd:"" help:"Show every rule: what it reads, whether it fires early or at the watermark, and why."`
	Test       triggersTestCmd     `cmd:"" help:"Run tests of rules: series of values in, alerts expected, by the state machine itself."`
	Backtest   triggersBacktestCmd `cmd:"" help:"Play a rule over the stored past: when it would have fired, for whom, and how right it was."`
	Explain    triggersExplainCmd  `cmd:"" help:"Tell what became of an alert, and by what it was judged."`
	Silence    triggersSilenceCmd  `cmd:"" help:"Have nothing new fired by a rule, or on an account, for some time."`
	Deliveries deliveriesCmd       `cmd:"" help:"Show, redrive and drop deliveries of alerts to targets."`
	SendTest   sendTestCmd         `cmd:"" help:"Send a test alert to a target."`
}
