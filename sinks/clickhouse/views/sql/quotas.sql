{{- /* data: builder */ -}}
-- How local times are made and turned back is explained in meter_periods.
SELECT
    h.account_id AS account_id,
    h.quota.1 AS quota,
    h.quota.2 AS feature,
    CAST(h.quota.3, 'LowCardinality(String)') AS period,
    h.period_date AS period_date,
    h.time_zone AS time_zone,
    h.window_start AS window_start,
    h.window_end AS window_end,
    h.uses AS uses,
    toNullable(ifNull(toFloat64OrNull(h.attributes['limits.' || h.quota.1]), q.plan_limit)) AS limit,
    if(limit > 0, h.uses / limit, NULL) AS utilization,
    limit - h.uses AS headroom,
    {{.LimitLevel}} AS limit_level,
    {{.UnderUsed}} AS is_under_used,
    if(h.window_end > {{.Now}}, h.pace, NULL) AS uses_per_day,
    if(headroom > 0 AND uses_per_day > 0 AND {{.Now}} + headroom / uses_per_day * 86400 < h.window_end,
        toDateTime({{.Now}} + toUInt32(ifNull(headroom / uses_per_day, 0) * 86400), 'UTC'), NULL) AS limit_reached_at,
    toBool(ifNull(h.window_end <= (SELECT complete_to FROM {{.DB}}.completeness WHERE topic = {{str .Topics.Telemetry.Name}}), false)) AS complete
FROM
(
    SELECT r.*, a.plan AS plan, a.segment AS segment, a.attributes AS attributes
FROM
(
    SELECT p.account_id AS account_id, p.quota AS quota, p.time_zone AS time_zone, p.period_date AS period_date, p.uses AS uses, s.pace AS pace,
{{- range $bound := .Bounds}}
        toUnixTimestamp(toDateTime({{if eq $bound "start"}}period_date{{else}}{{$.PeriodEnd "quota.3" "period_date"}}{{end}}, 'UTC')) AS {{$bound}}_local,
        {{$bound}}_local - (toUnixTimestamp(toDateTime(toString(toDateTime({{$bound}}_local, 'UTC'), time_zone), 'UTC')) - {{$bound}}_local) AS {{$bound}}_near,
        toDateTime({{$bound}}_local - (toUnixTimestamp(toDateTime(toString(toDateTime({{$bound}}_near, 'UTC'), time_zone), 'UTC')) - {{$bound}}_near), 'UTC') AS window_{{$bound}},
{{- end}}
        least(window_end, {{.Now}}) AS until_at
    FROM
    (
        SELECT account_id, quota, time_zone, {{.PeriodStart "quota.3" "local"}} AS period_date, sum(n) AS uses
        FROM
        (
            SELECT e.account_id AS account_id, e.of AS of, e.n AS n, if(z.zone IN (SELECT time_zone FROM system.time_zones), z.zone, 'UTC') AS time_zone,
                toDateTime(toString(e.at, time_zone), 'UTC') AS local
            FROM
            (
                SELECT account_id, window_start AS at, toString(feature) AS of, max(value) AS n
                FROM {{.DB}}.counters
                WHERE tier = 'hour' AND feature IN ({{.QuotaFeatures}}) AND feature != '' AND metric = {{str .FeatureUses}} AND {{.Visible}}
                    AND window_start >= {{.StartOfYearAgo}}
                GROUP BY account_id, window_start, feature, source
                UNION ALL
                SELECT d.account_id AS account_id, least({{.Now}}, d.window_start + 43200) AS at, '' AS of, toUInt64(0) AS n
                FROM ({{.DaySpine}}) AS d
                WHERE d.window_start >= {{.StartOfYearAgo}} AND d.window_start <= {{.Now}}
            ) AS e
            LEFT JOIN (SELECT account_id, attributes['timezone'] AS zone FROM {{.DB}}.account_history WHERE valid_to IS NULL) AS z ON z.account_id = e.account_id
        )
        ARRAY JOIN {{.Quotas}} AS quota
        WHERE of IN ('', quota.2)
        GROUP BY account_id, quota, time_zone, period_date
    ) AS p
    LEFT JOIN
    (
        SELECT account_id, of, tupleElement(simpleLinearRegression(toFloat64(day), toFloat64(so_far)), 1) AS pace
        FROM
        (
            SELECT account_id, of, day, sum(n) OVER (PARTITION BY account_id, of ORDER BY day) AS so_far
            FROM
            (
                SELECT account_id, of, day, sum(n) AS n
                FROM
                (
                    SELECT account_id, toString(feature) AS of, toInt32(toUInt32(window_start) / 86400) AS day, max(value) AS n
                    FROM {{.DB}}.counters
                    WHERE tier = 'day' AND feature IN ({{.QuotaFeatures}}) AND feature != '' AND metric = {{str .FeatureUses}} AND {{.Visible}} AND window_start BETWEEN {{.StartOfDay 2332800}} AND {{.StartOfDay 0}}
                    GROUP BY account_id, window_start, feature, source
                    UNION ALL
                    SELECT DISTINCT account_id, toString(feature) AS of, toInt32(toUnixTimestamp({{.StartOfDay 0}}) / 86400) - arrayJoin(range(28)) AS day, toUInt64(0) AS n
                    FROM {{.DB}}.counters
                    WHERE tier = 'day' AND feature IN ({{.QuotaFeatures}}) AND feature != '' AND metric = {{str .FeatureUses}} AND {{.Visible}} AND window_start BETWEEN {{.StartOfDay 2332800}} AND {{.StartOfDay 0}}
                )
                GROUP BY account_id, of, day
            )
        )
        GROUP BY account_id, of
    ) AS s ON s.account_id = p.account_id AND s.of = p.quota.2
) AS r
    {{$.AsOf "a" "r" "toDateTime64(r.until_at, 3, 'UTC')"}}
) AS h
-- A join, as a condition on the limit would keep one on the account from the tables.
INNER JOIN (SELECT l.1 AS plan, l.2 AS quota, l.3 AS plan_limit FROM (SELECT arrayJoin({{.QuotaLimits}}) AS l)) AS q ON q.plan = h.plan AND q.quota = h.quota
