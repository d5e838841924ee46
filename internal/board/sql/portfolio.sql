SELECT account_id, ifNull(account_name, '') AS name, ifNull(toString(plan), '') AS plan, ifNull(toString(segment), '') AS segment, ifNull(toString(owner), '') AS owner, seats, mrr, renewal_at,
    active_users_28d, seat_utilization, is_under_used, adoption_breadth, tickets_open, tickets_open_p1_p2, escalations_30d, events_28d_daily, events_7d_trend,
    health_score, health_band, health_change_7d, health_reason, nps_90d, nps_responses_90d
FROM portfolio_now
WHERE {where}
ORDER BY {order}, account_id
LIMIT @limit OFFSET @offset
