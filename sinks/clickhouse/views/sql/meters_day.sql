{{- /* data: meterPeriod */ -}}
SELECT
    r.account_id AS account_id,
    r.meter AS meter,
    r.window_start AS window_start,
    r.window_start + 86400 AS window_end,
    {{.Include "meter_utilization" .}},
    {{.Include "meter_quota" .}}
    toBool(ifNull(r.window_start + 86400 <= (SELECT complete_to FROM {{.DB}}.completeness WHERE topic = {{str .Topics.Signals.Name}}), false)) AS complete
FROM
(
    SELECT account_id, entity AS meter, toStartOfDay(toDateTime(at, 'UTC')) AS window_start,
        {{.Include "meter_readings" .}}
    FROM {{.DB}}.facts
    WHERE kind = 'meter' AND {{.Visible}}
    GROUP BY account_id, meter, window_start
) AS r
{{$.AsOf "h" "r" "toDateTime64(r.window_start + 86400, 3, 'UTC')"}}
