{{- /* data: meterPeriod */ -}}
-- ClickHouse truncates times in one time zone a query. So local times are written as text, read as if they were UTC, and
-- truncated; the way back is by the offset from UTC at the start of the period.
SELECT
    r.account_id AS account_id,
    r.meter AS meter,
    r.period_date AS period_date,
    r.time_zone AS time_zone,
    r.window_start AS window_start,
    r.window_end AS window_end,
    {{.Include "meter_utilization" .}},
    {{.Include "meter_quota" .}}
    toBool(ifNull(r.window_end <= (SELECT complete_to FROM {{.DB}}.completeness WHERE topic = {{str .Topics.Signals.Name}}), false)) AS complete
FROM
(
    SELECT *,
{{- range $bound, $date := .Bounds}}
        toUnixTimestamp(toDateTime({{$date}}, 'UTC')) AS {{$bound}}_local,
        {{$bound}}_local - (toUnixTimestamp(toDateTime(toString(toDateTime({{$bound}}_local, 'UTC'), time_zone), 'UTC')) - {{$bound}}_local) AS {{$bound}}_near,
        toDateTime({{$bound}}_local - (toUnixTimestamp(toDateTime(toString(toDateTime({{$bound}}_near, 'UTC'), time_zone), 'UTC')) - {{$bound}}_near), 'UTC') AS window_{{$bound}}
        {{- if eq $bound "end"}},{{end -}}
{{- end}}
    FROM
    (
        SELECT account_id, entity AS meter, time_zone,
            {{.Start}}(toDateTime(toString(toDateTime(at, 'UTC'), time_zone), 'UTC')) AS period_date,
            {{.Include "meter_readings" .}}
        FROM
        (
            SELECT f.*, if(z.zone IN (SELECT time_zone FROM system.time_zones), z.zone, 'UTC') AS time_zone
            FROM {{.DB}}.facts AS f
            LEFT JOIN (SELECT account_id, attributes['timezone'] AS zone FROM {{.DB}}.account_history WHERE valid_to IS NULL) AS z ON z.account_id = f.account_id
            WHERE f.kind = 'meter' AND NOT startsWith(f.account_id, '_')
        )
        GROUP BY account_id, meter, time_zone, period_date
    )
) AS r
{{$.AsOf "h" "r" "toDateTime64(r.window_end, 3, 'UTC')"}}
