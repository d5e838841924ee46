SELECT toUnixTimestamp(deployed_at) AS at, 'release' AS kind, concat('Release ', version, if(notes = '', '', concat(': ', notes))) AS text
FROM releases
WHERE deployed_at >= @from AND (segment = '' OR segment IN (SELECT ifNull(toString(segment), '') FROM accounts WHERE account_id = @account))
UNION ALL
SELECT toUnixTimestamp(at) AS at, 'alert' AS kind, concat('Alert ', rule, ': ', kind) AS text
FROM alert_history
WHERE account_id = @account AND at >= @from AND kind IN ('fired', 'resolved')
UNION ALL
SELECT toUnixTimestamp(ifNull(last_escalated_at, updated_at)) AS at, 'escalation' AS kind, concat('Ticket ', source, ' ', ticket_id, ' escalated') AS text
FROM tickets
WHERE account_id = @account AND last_escalated_at >= @from
ORDER BY at, kind, text
