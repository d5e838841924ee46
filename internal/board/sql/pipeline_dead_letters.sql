SELECT topic, reason, sum(d.records) AS records, sumIf(d.records, window_start >= toStartOfDay(toDateTime(@now, 'UTC'))) AS today, max(d.last_at) AS last_at,
    argMax(d.last_source, d.last_at) AS last_source, argMax(d.last_offset, d.last_at) AS last_offset, argMax(d.last_detail, d.last_at) AS last_detail
FROM dead_letters_by_reason AS d
WHERE window_start >= toStartOfDay(toDateTime(@now, 'UTC')) - INTERVAL 6 DAY
GROUP BY topic, reason
ORDER BY records DESC, topic, reason
LIMIT 100
