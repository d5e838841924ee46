// Package triggers judges rules over accounts: it reads what the views show, keeps a state machine for each rule and account,
// and stores what becomes of alerts.
//
// Step is pure: state and observation in, state and transitions out. Everything else here is the shell around it: what has
// changed (changes.go), what conditions read (read*.go), when to judge whom (tick.go), who may (leader.go), and what is stored (store.go).
package triggers
