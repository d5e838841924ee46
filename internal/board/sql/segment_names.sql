SELECT DISTINCT assumeNotNull(toString(segment)) AS segment FROM portfolio_now WHERE segment != '' ORDER BY segment
