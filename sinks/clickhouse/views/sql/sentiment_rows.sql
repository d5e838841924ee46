{{- /* data: rollingSlice */ -}}
SELECT account_id, toInt32(toUInt32(window_start) / 86400) AS day, 1 AS is_shown,
            {{.Parts "spine"}}
FROM ({{.Include "spine" .}})
WHERE window_start BETWEEN {{.ShownFrom}} AND {{.LastDay}}
UNION ALL
-- An answer counts from its day on for as many days as the window has, or until the same user answers again.
SELECT account_id, change.1 AS day, day = first_day AS is_shown,
            {{.Parts "answers"}}
FROM
(
    SELECT account_id, kind, class, first_day, change, change.2 AS delta
    FROM
    (
        SELECT
            account_id,
            {{.SurveyKind}} AS kind,
            toFloat64OrZero(attributes['scale_min']) AS low,
            toFloat64OrZero(attributes['scale_max']) AS high,
            multiIf(
                {{.SurveyClasses}}kind = 'nps' AND if(high = 10, value >= 9, 10 * (value - low) >= 9 * (high - low)), 'promoter',
                kind = 'nps' AND if(high = 10, value >= 7, 10 * (value - low) >= 7 * (high - low)), 'passive',
                kind = 'nps', 'detractor',
                kind = 'csat' AND 4 * (value - low) >= 3 * (high - low), 'satisfied',
                kind = 'ces' AND 3 * (value - low) >= 2 * (high - low), 'easy',
                '') AS class,
            toInt32(intDiv(toUnixTimestamp64Milli(at), 86400000)) AS first_day,
            leadInFrame(first_day, 1, toInt32(2000000)) OVER (
                PARTITION BY account_id, kind, user, if(user = 0, id, 0) ORDER BY at, source, offset
                ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS next_day
        FROM {{.DB}}.facts
        WHERE facts.kind = 'survey' AND {{.Visible}}
    )
    ARRAY JOIN [(first_day, toInt64(1)), (least(first_day + {{.Days}}, next_day), toInt64(-1))] AS change
    WHERE next_day > first_day
)
GROUP BY account_id, day, is_shown
