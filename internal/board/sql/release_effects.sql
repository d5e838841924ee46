SELECT segment, toString(metric) AS metric, accounts, before_avg, after_avg, relative_change, before_stddev, after_stddev, effect_size, days_after, complete
FROM release_effects
WHERE version = @version
ORDER BY segment, metric
