SELECT DISTINCT assumeNotNull(toString(segment)) AS segment FROM accounts WHERE segment != '' ORDER BY segment
