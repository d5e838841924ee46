{{- /* data: kpiViews */ -}}
SELECT
    CAST(ifNull(k.segment, ''), 'String') AS segment,
    k.kpi AS kpi,
    k.period_start AS period_start,
    k.period_end AS period_end,
    k.period AS period,
    k.unit AS unit,
    count() AS accounts,
    avg(k.value) AS value_avg,
    quantileExactInclusive(0.5)(k.value) AS value_median,
    sum(k.events) AS events,
    sum(k.active_users) AS active_users
FROM {{.DB}}.kpis AS k
GROUP BY segment, kpi, period_start, period_end, period, unit
