SELECT rule, account_id, starts_at, ends_at, is_active, reason, created_by
FROM alert_silences
ORDER BY is_active DESC, ends_at DESC, id
LIMIT 200
