SELECT s.target AS target, s.waiting AS waiting, s.oldest_waiting_at AS oldest_waiting_at, s.delivered AS delivered, s.last_delivered_at AS last_delivered_at,
    s.dead AS dead, g.disabled AS is_disabled, if(g.disabled, g.reason, '') AS disabled_reason
FROM (
    SELECT target, countIf(outcome IN ('waiting', 'pending')) AS waiting, minOrNullIf(known_at, outcome IN ('waiting', 'pending')) AS oldest_waiting_at,
        countIf(outcome = 'delivered') AS delivered, maxOrNullIf(changed_at, outcome = 'delivered') AS last_delivered_at, countIf(outcome = 'dead') AS dead
    FROM {{.DB}}.alert_deliveries
    GROUP BY target
) AS s
LEFT JOIN (
    SELECT target, argMax(disabled, at) AS disabled, argMax(reason, at) AS reason FROM {{.DB}}.delivery_targets GROUP BY target
) AS g ON g.target = s.target
