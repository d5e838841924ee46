SELECT alert_id, toString(rule) AS rule, account_id, toString(severity) AS severity, toString(kind) AS kind, level, value, at, known_at,
    arrayStringConcat(targets, ', ') AS told, count() OVER () AS total
FROM alert_history
WHERE (@rule = '' OR rule = @rule) AND (@account = '' OR positionCaseInsensitive(account_id, @account) > 0)
ORDER BY known_at DESC, id
LIMIT {limit} OFFSET {offset}
