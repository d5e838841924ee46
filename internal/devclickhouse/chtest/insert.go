package chtest

// Into begins an INSERT of a test's own rows, of generation 0, into a table under the name by which it is read:
//
//	chtest.Into("counters") + " VALUES ('day', 'acme', ...)"
func Into(table string) string { return "INSERT INTO " + table + "_all (* EXCEPT generation)" }
