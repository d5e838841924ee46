{{- /* data: rollingSlice */ -}}
SELECT account_id, toInt32(toUInt32(window_start) / 86400) AS day, 1 AS is_shown,
            {{.Parts "spine"}}
FROM ({{.Include "spine" .}})
UNION ALL
SELECT account_id, toInt32(window_s / 86400) AS day, 1 AS is_shown,
            {{.Parts "moments"}}
FROM ({{.TicketMoments}})
GROUP BY account_id, day
UNION ALL
SELECT account_id, day, 0 AS is_shown,
            {{.Parts "ticketdays"}}
FROM ({{.DistinctDays "ticket_days"}})
GROUP BY account_id, day
