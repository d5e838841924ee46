{{- /* data: builder */ -}}
SELECT
    CAST(ifNull(m.segment, ''), 'String') AS segment,
    m.meter AS meter,
    count() AS accounts,
    countIf(m.utilization IS NOT NULL) AS limited_accounts,
    quantileExactInclusiveOrNull(0.5)(m.utilization) AS utilization_median,
    countIf(m.utilization >= 0.8) AS accounts_at_80_percent,
    countIf(m.utilization >= 0.9) AS accounts_at_90_percent,
    countIf(m.utilization >= 1) AS accounts_at_limit,
    countIf(m.limit_reached_at < {{.Now}} + toIntervalDay(30)) AS reaching_within_30_days
FROM {{.DB}}.meters AS m
GROUP BY segment, meter
