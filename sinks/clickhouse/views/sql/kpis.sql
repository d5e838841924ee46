{{- /* data: kpiViews */ -}}
SELECT
    p.account_id AS account_id,
    p.kpi AS kpi,
    p.period_start AS period_start,
    p.period_end AS period_end,
    CAST(multiIf(p.days <= 1, 'day', p.days = 7, 'week', p.days BETWEEN 28 AND 31, 'month', p.days BETWEEN 89 AND 92, 'quarter', p.days BETWEEN 365 AND 366, 'year', 'other'), 'LowCardinality(String)') AS period,
    p.last_value AS value,
    p.last_unit AS unit,
    p.value_previous AS value_previous,
    value - value_previous AS change,
    p.reported_at AS reported_at,
    p.reports AS reports,
    e.events AS events,
    u.active_users AS active_users,
    h.segment AS segment,
    toBool(ifNull(s.since <= greatest(p.period_start, toStartOfDay(p.period_start)) AND s.since > toDateTime(0, 'UTC')
        AND p.period_end <= (SELECT complete_to FROM {{.DB}}.completeness WHERE topic = {{str .Topics.Telemetry.Name}}), false)) AS usage_complete
FROM
(
    SELECT *, dateDiff('day', period_start, period_end) AS days,
        lagInFrame(toNullable(last_value)) OVER (PARTITION BY account_id, kpi ORDER BY period_start, period_end) AS value_previous
    FROM ({{.Include "kpi_values" .}})
) AS p
LEFT JOIN
(
    SELECT d.account_id AS account_id, d.kpi AS kpi, d.period_start AS period_start, d.period_end AS period_end, sum(c.counted) AS events
    FROM ({{.Include "kpi_days" .}}) AS d
    INNER JOIN
    (
        SELECT account_id, window_start, sum(most) AS counted
        FROM
        (
            SELECT account_id, window_start, source, max(value) AS most
            FROM {{.DB}}.counters
            WHERE tier = 'day' AND feature = '' AND metric = {{str .Events}} AND {{.Visible}}
            GROUP BY account_id, window_start, source
        )
        GROUP BY account_id, window_start
    ) AS c ON c.account_id = d.account_id AND c.window_start = d.window_start
    GROUP BY account_id, kpi, period_start, period_end
) AS e ON e.account_id = p.account_id AND e.kpi = p.kpi AND e.period_start = p.period_start AND e.period_end = p.period_end
LEFT JOIN
(
    SELECT d.account_id AS account_id, d.kpi AS kpi, d.period_start AS period_start, d.period_end AS period_end, uniqExact(m.member) AS active_users
    FROM ({{.Include "kpi_days" .}}) AS d
    INNER JOIN
    (
        SELECT account_id, window_start, member
        FROM {{.DB}}.members
        WHERE tier = 'day' AND feature = '' AND metric = {{str .ActiveUsers}} AND {{.Visible}}
    ) AS m ON m.account_id = d.account_id AND m.window_start = d.window_start
    GROUP BY account_id, kpi, period_start, period_end
) AS u ON u.account_id = p.account_id AND u.kpi = p.kpi AND u.period_start = p.period_start AND u.period_end = p.period_end
LEFT JOIN
(
    SELECT account_id, min(window_start) AS since
    FROM {{.DB}}.counters
    WHERE tier = 'day' AND feature = '' AND metric = {{str .Events}} AND {{.Visible}}
    GROUP BY account_id
) AS s ON s.account_id = p.account_id
{{$.AsOf "h" "p" "p.period_end"}}
