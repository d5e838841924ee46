SELECT account_id, what AS metric, cityHash64(entity) AS member, toInt32(window_s / 86400) AS day
FROM ({{.TicketMoments}})
WHERE what IN ('solved', 'reopened', 'escalated')
