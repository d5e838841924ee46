SELECT source, ticket_id, opened_at, solved_at, escalated_at, last_escalated_at, escalations, reopened, is_open, priority, status, first_reply_seconds, resolution_seconds, tags
FROM tickets
WHERE account_id = @account AND (is_open OR updated_at >= @from)
ORDER BY is_open DESC, ifNull(opened_at, updated_at) DESC, source, ticket_id
LIMIT 200
