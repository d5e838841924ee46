SELECT
{{- if .Key}}
    i.key AS {{.Key}},
{{- end}}
    i.tag AS tag,
    i.window_start AS window_start,
    i.window_start + {{.Days}} * 86400 AS window_end,
{{- if ne .Key "account_id"}}
    i.accounts AS accounts,
    rank() OVER (PARTITION BY i.window_start, i.key ORDER BY i.accounts DESC) AS rank_by_accounts,
{{- end}}
    i.tickets AS tickets,
    rank() OVER (PARTITION BY i.window_start, i.key ORDER BY i.tickets DESC) AS rank_by_tickets,
    i.escalated AS escalated,
    toBool(ifNull(i.window_start + {{.Days}} * 86400 <= (SELECT complete_to FROM {{.DB}}.completeness WHERE topic = {{str .Topics.Tickets.Name}}), false)) AS complete
FROM
(
    SELECT
        {{if eq .Key "account_id"}}t.account_id{{else if .Key}}CAST(ifNull(h.segment, ''), 'String'){{else}}''{{end}} AS key,
        t.tag AS tag, t.window_start AS window_start,
        uniqExact(t.account_id) AS accounts, count() AS tickets, countIf(t.is_escalated) AS escalated
    FROM
    (
        SELECT o.account_id AS account_id, o.tag AS tag, o.is_escalated AS is_escalated, o.window_start AS window_start
        FROM
        (
            SELECT account_id, toString(tag) AS tag, escalations > 0 AS is_escalated,
                toDateTime((arrayJoin(range(toInt32(d), toInt32(d + {{.Days}}))) + 1 - {{.Days}}) * 86400, 'UTC') AS window_start
            FROM
            (
                SELECT account_id, arrayDistinct(tags) AS all_tags, escalations, intDiv(toUnixTimestamp(assumeNotNull(opened_at)), 86400) AS d
                FROM {{.DB}}.tickets
                WHERE opened_at IS NOT NULL
            )
            ARRAY JOIN all_tags AS tag
        ) AS o
        INNER JOIN
        (
            SELECT {{.StartOfDay 0}} - 86400 * (toInt64(number) + {{.Ages.From}} + {{.Days}} - 1) AS window_start
            FROM numbers({{.Ages.Count}})
        ) AS calendar ON calendar.window_start = o.window_start
    ) AS t
{{- if eq .Key "segment"}}
    {{$.AsOf "h" "t" (printf "toDateTime64(t.window_start + %v * 86400, 3, 'UTC')" .Days)}}
{{- end}}
    GROUP BY key, tag, window_start
) AS i
