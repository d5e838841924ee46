SELECT alert_id, rule, severity, kind, value, at, known_at, playbook, is_final
FROM alert_history
WHERE account_id = @account AND at >= @from
ORDER BY known_at DESC, alert_id, seq DESC
LIMIT 200
