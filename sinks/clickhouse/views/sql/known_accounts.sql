-- Every account that was heard of, since when, and until when if it was removed.
SELECT account_id, min(seen) AS since, max(removed) AS until
FROM
(
    SELECT account_id, toDateTime64(min(window_start), 3, 'UTC') AS seen, CAST(NULL, 'Nullable(DateTime64(3, \'UTC\'))') AS removed
    FROM {{.DB}}.counters WHERE tier = 'day' AND {{.Visible}} GROUP BY account_id
    UNION ALL
    SELECT account_id,
        min(least(valid_from, ifNull(parseDateTime64BestEffortOrNull(attributes['created_at'], 3, 'UTC'), valid_from))) AS seen,
        if(argMax(deleted, (valid_from, source, offset)) = 1, max(valid_from), NULL) AS removed
    FROM {{.DB}}.account_changes WHERE {{.Visible}} GROUP BY account_id
    UNION ALL
    SELECT account_id, min(at) AS seen, NULL AS removed
    FROM {{.DB}}.facts WHERE kind = 'ticket' AND {{.Visible}} GROUP BY account_id
)
GROUP BY account_id
