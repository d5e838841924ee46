{{- /* data: health */ -}}
SELECT segment, window_start, window_start + 86400 AS window_end,
    count() AS accounts, count(h.score) AS scored, avg(h.score) AS score_avg, quantileExactInclusiveOrNull(0.5)(h.score) AS score_median,
    countIf(h.band = 'good') AS good, countIf(h.band = 'average') AS average, countIf(h.band = 'poor') AS poor,
    if(scored > 0, (100 * good + 60 * average + 40 * poor) / scored, NULL) AS quality,
    sumOrNullIf(h.mrr, h.band = 'poor') AS mrr_poor,
    countIf(h.band_7 != '' AND h.band != '' AND transform(h.band, ['good', 'average', 'poor'], [3, 2, 1], 0) < transform(h.band_7, ['good', 'average', 'poor'], [3, 2, 1], 0)) AS declined_7d,
    toBool(min(h.complete)) AS complete
FROM ({{.Include "health_compared" .}}) AS h
GROUP BY segment, window_start
