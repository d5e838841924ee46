SELECT at, kind, text
FROM
(
    SELECT toUnixTimestamp(r.deployed_at) AS at, 'release' AS kind, concat('Release ', r.version, if(r.notes = '', '', concat(': ', r.notes))) AS text
    FROM releases AS r
    WHERE r.deployed_at >= @from AND (r.segment = '' OR r.segment IN (SELECT ifNull(toString(segment), '') FROM accounts WHERE account_id = @account))
    UNION ALL
    SELECT toUnixTimestamp(h.at) AS at, 'alert' AS kind, concat('Alert ', h.rule, ': ', h.kind) AS text
    FROM alert_history AS h
    WHERE h.account_id = @account AND h.at >= @from AND h.kind IN ('fired', 'resolved')
    UNION ALL
    SELECT toUnixTimestamp(ifNull(t.last_escalated_at, t.updated_at)) AS at, 'escalation' AS kind, concat('Ticket ', t.source, ' ', t.ticket_id, ' escalated') AS text
    FROM tickets AS t
    WHERE t.account_id = @account AND t.last_escalated_at >= @from
)
ORDER BY at, kind, text
