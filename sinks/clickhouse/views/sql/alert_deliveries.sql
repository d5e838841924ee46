SELECT t.target AS target, t.id AS id, d.message_id AS message_id, t.alert_id AS alert_id, t.seq AS seq, t.kind AS kind, t.rule AS rule, t.account_id AS account_id,
    t.severity AS severity, t.at AS at, t.known_at AS known_at,
    multiIf(d.version > 0, toString(d.outcome), t.not_before > {{.Now}}, 'quiet', 'waiting') AS outcome,
    d.attempt AS attempts,
    if(d.version > 0, d.at, NULL) AS changed_at,
    multiIf(d.version = 0 AND t.not_before > {{.Now}}, t.not_before, d.next_at > toDateTime64(0, 3, 'UTC'), d.next_at, NULL) AS next_at,
    d.status AS status, d.detail AS detail
FROM (
    SELECT arrayJoin(targets) AS target, id, alert_id, seq, kind, rule, account_id, severity, at, known_at, not_before
    FROM {{.DB}}.alert_transitions FINAL
) AS t
LEFT JOIN (SELECT * FROM {{.DB}}.deliveries FINAL) AS d ON d.target = t.target AND d.alert_id = t.alert_id AND d.id = t.id
