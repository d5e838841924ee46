SELECT alert_id, toString(rule) AS rule, account_id, toString(severity) AS severity, toString(playbook) AS playbook, toString(owner) AS owner,
    level, value, fired_at, is_final
FROM alerts
WHERE (@rule = '' OR rule = @rule) AND (@account = '' OR positionCaseInsensitive(account_id, @account) > 0)
ORDER BY {order}, alert_id
LIMIT 500
