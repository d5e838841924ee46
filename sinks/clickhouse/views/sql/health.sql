{{- /* data: health */ -}}
SELECT account_id,
    maxIf(window_start, of_day) AS day, anyIf(d.segment, of_day) AS segment,
    maxIf(d.score, of_day) AS score, anyIf(d.band, of_day) AS band, anyIf(d.unknown, of_day) AS unknown, maxIf(d.mrr, of_day) AS mrr,
    maxIf(d.score_previous, of_day) AS score_previous, maxIf(d.score_7d_ago, of_day) AS score_7d_ago, maxIf(d.delta, of_day) AS delta, maxIf(d.delta_7d, of_day) AS delta_7d,
    anyIf(d.reason, of_day) AS reason, anyIf(d.reason_7d, of_day) AS reason_7d,
    maxIf(d.score, NOT of_day) AS score_today, anyIf(d.band, NOT of_day) AS band_today, anyIf(d.reason, NOT of_day) AS reason_today
FROM
(
    SELECT *, window_start < {{.StartOfDay 0}} AS of_day
    FROM ({{.Include "health_day" .Now}})
    WHERE window_start IN ({{.StartOfDay 0}},
        -- The latest day that is complete: yesterday, unless a topic is behind.
        (SELECT greatest(toStartOfDay(toDateTime(min(complete_to), 'UTC')) - 86400, {{.LatestFrom}}) FROM {{.DB}}.completeness WHERE topic IN ({{str .Topics.Telemetry.Name}}, {{str .Topics.Tickets.Name}})))
) AS d
GROUP BY account_id
