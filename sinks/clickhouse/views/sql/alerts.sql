SELECT alert_id, rule, account_id, episode,
    last.1 AS severity, last.2 AS playbook, last.3 AS owner, last.4 AS level, last.5 AS value,
    fired_at, fired_known_at, last.6 AS changed_at, last.7 AS is_final, last.8 AS evidence
FROM
(
    SELECT alert_id, rule, account_id, max(episode) AS episode,
        argMax((severity, playbook, owner, level, value, known_at, final, payload, kind), seq) AS last,
        minIf(at, seq = 1) AS fired_at, minIf(known_at, seq = 1) AS fired_known_at
    FROM {{.DB}}.alert_transitions FINAL
    GROUP BY alert_id, rule, account_id
)
WHERE last.9 NOT IN ('resolved', 'retracted')
