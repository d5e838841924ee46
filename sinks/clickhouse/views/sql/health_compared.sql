{{- /* data: health */ -}}
-- The scores of a day beside those of the days before that it is compared with. They are read in slices by the age of the day, as
-- those of rolling windows are: one of which no day is asked for is not read.
{{- range $i, $slice := .Slices}}
{{- if $i}}
UNION ALL
{{- end}}
SELECT h.* FROM
(
SELECT account_id, window_start,
    anyIf(s.profile, lag = 0) AS profile, anyIf(s.profile, lag = 1) AS profile_1, anyIf(s.profile, lag = 7) AS profile_7,
    anyIf(s.segment, lag = 0) AS segment, maxIf(s.mrr, lag = 0) AS mrr, toBool(maxIf(s.is_complete, lag = 0)) AS complete,
    maxIf(s.score, lag = 0) AS score, maxIf(s.score, lag = 1) AS score_1, maxIf(s.score, lag = 7) AS score_7,
    anyIf(s.band, lag = 0) AS band, anyIf(s.band, lag = 1) AS band_1, anyIf(s.band, lag = 7) AS band_7,
    anyIf(s.names, lag = 0) AS names,
    anyIf(s.component_values, lag = 0) AS component_values, anyIf(s.component_points, lag = 0) AS component_points,
    anyIf(s.shown, lag = 0) AS shown, anyIf(s.shown, lag = 1) AS shown_1, anyIf(s.shown, lag = 7) AS shown_7,
    anyIf(s.contributions, lag = 0) AS contributions, anyIf(s.contributions, lag = 1) AS contributions_1, anyIf(s.contributions, lag = 7) AS contributions_7
FROM
(
    SELECT *, lag, of_day + 86400 * lag AS window_start
    FROM ({{$.Include "health_scores" ($.Slice $slice)}})
    ARRAY JOIN {{$.Lags}} AS lag
) AS s
GROUP BY account_id, window_start
HAVING max(lag = 0)
) AS h
INNER JOIN
(
    SELECT {{$.StartOfDay 0}} - 86400 * (toInt64(number) + {{$slice.From}}) AS window_start
    FROM numbers({{$slice.Count}})
) AS calendar ON calendar.window_start = h.window_start
{{- end}}
