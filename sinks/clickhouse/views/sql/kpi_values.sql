-- Of the values that were reported for a period the last one holds.
SELECT
    account_id,
    entity AS kpi,
    parseDateTime64BestEffortOrZero(attributes['period_start'], 3, 'UTC') AS period_start,
    parseDateTime64BestEffortOrZero(attributes['period_end'], 3, 'UTC') AS period_end,
    argMax(value, (at, source, offset)) AS last_value,
    argMax(attributes['unit'], (at, source, offset)) AS last_unit,
    max(at) AS reported_at,
    count() AS reports
FROM {{.DB}}.facts
WHERE kind = 'kpi' AND {{.Visible}}
GROUP BY account_id, kpi, period_start, period_end
