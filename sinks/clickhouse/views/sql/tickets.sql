{{- /* data: builder */ -}}
SELECT
    account_id,
    substring(entity, 1, position(entity, ':') - 1) AS source,
    substring(entity, position(entity, ':') + 1) AS ticket_id,
    if(is_opened, fromUnixTimestamp64Milli(opened_ms, 'UTC'), NULL) AS opened_at,
    if(reply_ms > 0, fromUnixTimestamp64Milli(reply_ms, 'UTC'), NULL) AS first_reply_at,
    if(solved_ms > 0, fromUnixTimestamp64Milli(solved_ms, 'UTC'), NULL) AS solved_at,
    length(reopenings) AS reopened,
    if(notEmpty(escalated), fromUnixTimestamp64Milli(escalated[1], 'UTC'), NULL) AS escalated_at,
    if(notEmpty(escalated), fromUnixTimestamp64Milli(escalated[-1], 'UTC'), NULL) AS last_escalated_at,
    length(escalated) AS escalations,
    toBool(states[-1].2 = 1) AS is_open,
    arrayLast(x -> x != '', arrayMap(e -> if(e.3 = 'priority' AND e.4 != '', e.4, e.5['priority']), events)) AS priority,
    arrayLast(x -> x != '', arrayMap(e -> multiIf(e.3 = 'status' AND e.4 != '', e.4, e.5['status'] != '', e.5['status'],
        e.3 IN ('solved', 'merged', 'deleted'), e.3, e.3 = 'reopened', 'open', e.3 = 'created', 'new', ''), events)) AS status,
    arrayLast(x -> x != '', arrayMap(e -> e.5['channel'], events)) AS channel,
    splitByChar(',', arrayLast(x -> x != '', arrayMap(e -> e.5['tags'], events)) AS tag_list) AS all_tags,
    if(tag_list = '', [], all_tags) AS tags,
    arrayLast(x -> x != '', arrayMap(e -> e.5['requester_id'], events)) AS requester_id,
    if(is_opened AND reply_ms > 0, (reply_ms - opened_ms) / 1000, NULL) AS first_reply_seconds,
    if(is_opened AND solved_ms > 0, (solved_ms - opened_ms) / 1000, NULL) AS resolution_seconds,
    fromUnixTimestamp64Milli(ats[-1], 'UTC') AS updated_at
FROM ({{.Include "ticket_lives" .}})
