SELECT ifNull(account_name, '') AS name, ifNull(toString(plan), '') AS plan, ifNull(toString(segment), '') AS segment, ifNull(toString(stage), '') AS stage, ifNull(toString(owner), '') AS owner,
    seats, mrr, renewal_at, active_users_28d, frequency_band, active_days_28d, adoption_breadth, key_features_adopted, key_features_entitled, tickets_open, escalations_30d,
    events_28d_daily, events_7d_trend, health_score, health_band, health_reason, nps_90d, nps_responses_90d, onboarding_progress, toNullable(computed_at) AS computed_at
FROM portfolio_now
WHERE account_id = @account
