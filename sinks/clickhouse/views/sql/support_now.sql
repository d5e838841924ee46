SELECT
    account_id,
    countIf(states[-1].2 = 1) AS tickets_open,
    countIf(states[-1].2 = 1 AND priority IN ('p1', 'p2')) AS tickets_open_p1_p2,
    minOrNullIf(fromUnixTimestamp64Milli(opened_ms, 'UTC'), states[-1].2 = 1) AS oldest_open_ticket_at,
    countIf(is_opened AND opened_ms >= toUnixTimestamp({{.StartOfDay 2332800}}) * 1000) AS tickets_opened_28d,
    countIf(escalated[-1] >= toUnixTimestamp({{.StartOfDay 518400}}) * 1000) AS escalations_7d,
    countIf(escalated[-1] >= toUnixTimestamp({{.StartOfDay 2505600}}) * 1000) AS escalations_30d
FROM
(
    SELECT *, arrayLast(x -> x != '', arrayMap(e -> if(e.3 = 'priority' AND e.4 != '', e.4, e.5['priority']), events)) AS priority
    FROM ({{.Include "ticket_lives" .}})
)
GROUP BY account_id
