{{- /* data: rollingSlice */ -}}
SELECT account_id, day, 0 AS is_shown,
            {{.Parts "active"}}
FROM
(
    SELECT DISTINCT account_id, toInt32(toUInt32(window_start) / 86400) AS day, member
    FROM {{.DB}}.members
    WHERE tier = 'day' AND feature = '' AND metric = {{str .ActiveUsers}} AND {{.Visible}}
        AND window_start BETWEEN {{.FirstDay}} AND {{.LastDay}}
)
GROUP BY account_id, day
