{{- /* data: builder */ -}}
-- One row a ticket with the times of what happened to it. Events of one time count in the order of their offsets.
SELECT
    account_id,
    entity,
    arraySort(groupArray((toUnixTimestamp64Milli(at), offset, name, attributes['to'], attributes))) AS events,
    arrayMap(e -> e.1, events) AS ats,
    arrayFilter((t, e) -> e.3 = 'created', ats, events) AS created,
    notEmpty(created) AS is_opened,
    created[1] AS opened_ms,
    arrayFirst((t, e) -> e.3 = 'replied_agent' AND is_opened AND t >= opened_ms, ats, events) AS reply_ms,
    -- (time, 1) reopened, (time, 2) open again by its status, (time, 3) solved, (time, 4) merged or deleted
    arrayFold(
        (acc, e) -> multiIf(
            e.3 = 'reopened', arrayPushBack(acc, (e.1, toUInt8(1))),
            e.3 = 'status' AND e.4 IN ('new', 'open', 'pending', 'hold'), if(acc[-1].2 >= 3, arrayPushBack(acc, (e.1, toUInt8(2))), acc),
            e.3 = 'solved' OR (e.3 = 'status' AND e.4 IN ('solved', 'closed')), arrayPushBack(acc, (e.1, toUInt8(3))),
            e.3 IN ('merged', 'deleted'), arrayPushBack(acc, (e.1, toUInt8(4))),
            acc),
        events,
        CAST([], 'Array(Tuple(Int64, UInt8))')) AS turns,
    arrayMap(t -> t.1, arrayFilter(t -> t.2 IN (1, 2), turns)) AS reopenings,
    arrayMap(t -> t.1, arrayFilter(t -> t.2 = 3, turns)) AS solves,
    -- The last solve stands unless the ticket was open again after it.
    if(arrayLastIndex(t -> t.2 = 3, turns) > arrayLastIndex(t -> t.2 IN (1, 2), turns), arrayLast(t -> t.2 = 3, turns).1, 0) AS solved_ms,
    arraySort(arrayConcat(
        arrayFilter((t, e) -> e.5['escalation'] != '', ats, events)
{{- if .ReopenedOften}},
        arraySlice(arrayFilter((t, e) -> e.3 = 'reopened', ats, events), {{.ReopenedOften}})
{{- end}})) AS escalated,
    if(is_opened, arrayConcat([(opened_ms, toInt8(1))], arrayMap(t -> (t.1, toInt8(t.2 <= 2)), arrayFilter(t -> t.1 >= opened_ms, turns))), []) AS states
FROM {{.DB}}.facts
WHERE kind = 'ticket' AND {{.Visible}}
GROUP BY account_id, entity
