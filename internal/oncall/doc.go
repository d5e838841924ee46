// Package oncall has a real Prometheus watch real processes of tidemark by the rules that are shipped, breaks what breaks in real
// life, and follows the runbooks. `make test-prometheus` runs it; it holds nothing but tests.
package oncall
