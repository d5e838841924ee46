{{- /* data: builder */ -}}
SELECT
    r.account_id AS account_id,
    r.meter AS meter,
    {{.Include "meter_utilization" .}},
    h.segment AS segment,
    -- y = slope * x + level, x in days after the last reading
    if(r.readings >= {{.FitReadings}} AND r.days > 1, r.line.1, NULL) AS slope_per_day,
    if(headroom > 0 AND slope_per_day > 0 AND limit - r.line.2 < 3650 * slope_per_day,
        r.last_at + toIntervalSecond(toInt64(greatest((limit - r.line.2) / slope_per_day, 0) * 86400)), NULL) AS limit_reached_at
FROM
(
    SELECT account_id, meter,
        {{.Include "meter_readings" .}},
        uniqExact(toDate(at)) AS days,
        simpleLinearRegression(dateDiff('millisecond', latest, at) / 86400000, value) AS line
    FROM
    (
        SELECT account_id, entity AS meter, at, value, attributes, source, offset, max(at) OVER (PARTITION BY account_id, entity) AS latest
        FROM {{.DB}}.facts
        WHERE kind = 'meter' AND {{.Visible}}
    )
    WHERE at > latest - toIntervalDay({{.FitDays}})
    GROUP BY account_id, meter
) AS r
{{$.AsOf "h" "r" "r.last_at"}}
