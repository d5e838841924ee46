SELECT alert_id, rule, account_id, episode, severity, playbook, owner, id, seq, kind, level, value, at, known_at, final AS is_final, targets, payload AS evidence
FROM {{.DB}}.alert_transitions FINAL
