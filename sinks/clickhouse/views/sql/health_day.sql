{{- /* data: health */ -}}
SELECT account_id, window_start, window_start + 86400 AS window_end, profile, segment, score, band,
    arrayStringConcat(arrayFilter((n, p) -> p IS NULL, names, component_points), ', ') AS unknown, mrr,
    score_1 AS score_previous, score_7 AS score_7d_ago, score - score_1 AS delta, score - score_7 AS delta_7d, band_1 AS band_previous,
    {{.Reason "1"}} AS reason,
    {{.Reason "7"}} AS reason_7d,
    complete
FROM ({{.Include "health_compared" .}})
