-- What goals are measured by. Views are read of accounts only that have a goal over them, in windows that are over.
SELECT account_id, 'kpi' AS measured_by, kpi AS measure, least(period_end, reported_at) AS at, last_value AS value, reported_at AS told_at
FROM ({{.Include "kpi_values" .}})
UNION ALL
SELECT account_id, 'meter' AS measured_by, entity AS measure, facts.at AS at, value, facts.at AS told_at
FROM {{.DB}}.facts
WHERE kind = 'meter' AND {{.Visible}}
{{- range .Views}}
UNION ALL
SELECT account_id, 'metric' AS measured_by, metric.1 AS measure, toDateTime64(window_end, 3, 'UTC') AS at, assumeNotNull(metric.2) AS value, at AS told_at
FROM
(
    SELECT account_id, window_end, {{.Values}} AS metrics
    FROM {{$.Source .}}
    WHERE account_id IN (SELECT account_id FROM ({{$.Include "goal_definitions" $}}) WHERE measured_by = 'metric' AND measure IN ({{.Measures}}))
        AND window_end <= {{$.Now}}
)
ARRAY JOIN metrics AS metric
WHERE metric.2 IS NOT NULL
{{- end}}
