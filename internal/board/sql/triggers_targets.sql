SELECT toString(target) AS target, waiting, oldest_waiting_at, delivered, last_delivered_at, dead, is_disabled, disabled_reason
FROM alert_targets
ORDER BY target
