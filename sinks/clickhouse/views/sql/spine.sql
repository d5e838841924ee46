-- Every window of every known account, as far back as the tier's horizon. A condition on window_start reaches the calendar, so
-- that one window of a hundred thousand accounts is made without all the others.
SELECT k.account_id AS account_id, calendar.start AS window_start
FROM
(
    SELECT
        account_id,
        -- Times that people wrote may lie anywhere: they are bounded before they become a DateTime, which would wrap.
        toDateTime64({{.Now}}, 3, 'UTC') AS at,
        {{.Tier.Start}}(toDateTime(least(greatest(since, at - {{.Tier.Horizon}}), at + 86400), 'UTC')) AS first_window,
        toDateTime(least(at, greatest(toDateTime64(0, 3, 'UTC'), ifNull(until, at))), 'UTC') AS last_moment
    FROM ({{.Include "known_accounts" .}})
) AS k
CROSS JOIN
(
    SELECT {{.Tier.Start}}({{.Now}}) - {{.Tier.Seconds}} * toInt64(number) AS start
    FROM numbers({{.Tier.Windows}})
    WHERE true{{with spineFrom .}} AND start >= {{.}}{{end}}{{with spineTo .}} AND start <= {{.}}{{end}}
) AS calendar
WHERE calendar.start >= k.first_window AND calendar.start <= k.last_moment
