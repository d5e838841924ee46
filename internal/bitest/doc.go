// Package bitest reads the views with clients that nobody here wrote, clickhouse-connect for Python and @clickhouse/client
// for Node, as BI tools do: as the reader, over HTTP. It holds nothing but tests.
package bitest
