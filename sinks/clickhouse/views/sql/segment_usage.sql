{{- /* data: segments */ -}}
SELECT
    w.segment AS segment,
    w.window_start AS window_start,
    w.window_start + {{.Seconds}} AS window_end,
    w.accounts AS accounts,
    w.active_accounts AS active_accounts,
{{- range .Sums}}
    w.{{.}} AS {{.}},
{{- end}}
{{- range .Derived}}
    {{.SQL}} AS {{.Column}},
{{- end}}
    w.events_median AS events_median,
    w.active_users_median AS active_users_median,
    w.seats AS seats,
    if(w.seats > 0, w.seated_users / w.seats, NULL) AS seat_utilization,
    w.mrr AS mrr,
    toBool(w.complete) AS complete
FROM
(
    SELECT
        CAST(ifNull(u.segment, ''), 'String') AS segment,
        u.window_start AS window_start,
        count() AS accounts,
        countIf(u.active_users > 0) AS active_accounts,
{{- range .Sums}}
        sum(u.{{.}}) AS {{.}},
{{- end}}
        quantileExactInclusive(0.5)(u.events) AS events_median,
        quantileExactInclusive(0.5)(u.active_users) AS active_users_median,
        sumOrNull(u.seats) AS seats,
        sumIf(u.active_users, u.seats > 0) AS seated_users,
        sumOrNull(u.mrr) AS mrr,
        min(u.complete) AS complete
    FROM {{.DB}}.usage_{{.Of}} AS u
    GROUP BY segment, window_start
) AS w
