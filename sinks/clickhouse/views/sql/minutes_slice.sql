-- User minutes of one range of ages. A window's sessions depend on what came before and after it, so a condition on
-- window_start can't reach the table; but when no window of this range is asked for, the calendar is empty and the
-- table is not read at all.
SELECT s.account_id AS account_id, s.window_start AS window_start, s.* EXCEPT (account_id, window_start)
FROM
(
    SELECT account_id, toDateTime(intDiv(at, {{.Tier.Seconds}}000) * {{.Tier.Seconds}}, 'UTC') AS window_start,
            {{.Parts "minutes"}}
    FROM ({{.Include "user_events" .}})
    GROUP BY account_id, window_start
) AS s
INNER JOIN
(
    SELECT {{.Tier.Start}}({{.Now}}) - {{.Tier.Seconds}} * (toInt64(number) + {{.Ages.From}}) AS window_start
    FROM numbers({{.Ages.Count}})
) AS calendar ON calendar.window_start = s.window_start
