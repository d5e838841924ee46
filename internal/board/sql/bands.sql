SELECT ifNull(toString(segment), '') AS segment, pair.1 AS metric, count() AS accounts,
    arrayMap(x -> toFloat64(x), quantilesExactInclusive(0.1, 0.25, 0.5, 0.75, 0.9)(assumeNotNull(pair.2))) AS bands
FROM (SELECT segment, CAST([{values}], 'Array(Tuple(String, Nullable(Float64)))') AS pairs FROM portfolio_now)
ARRAY JOIN pairs AS pair
WHERE pair.2 IS NOT NULL
GROUP BY segment, metric
ORDER BY metric, segment
