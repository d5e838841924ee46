// Package superset has Apache Superset, which nobody here wrote, read the views as the reader: it lists them with their
// comments and charts five of them. `make test-bi` runs it; it holds nothing but a test.
package superset
