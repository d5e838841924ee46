SELECT alert_id, toString(rule) AS rule, account_id, toString(severity) AS severity, toString(playbook) AS playbook, toString(owner) AS owner,
    seq, toString(kind) AS kind, level, value, at, known_at, is_final, evidence
FROM alert_history
WHERE alert_id = if(@alert != '', @alert, (SELECT argMax(alert_id, (known_at, alert_id)) FROM alert_history))
ORDER BY seq
