{{- /* data: with Seconds */ -}}
-- What happened to tickets, by window: a ticket that was, say, solved twice in a window counts once. The backlog is that
-- of a window's end, so what happens at that very instant belongs to the window that ends.
SELECT account_id, entity, moment.1 AS what, moment.2 AS window_s, moment.3 AS amount
FROM
(
    SELECT account_id, entity,
        arrayConcat(
            if(is_opened, [('opened', intDiv(opened_ms, {{.Seconds}}000) * {{.Seconds}}, toInt64(1))], []),
            if(is_opened AND reply_ms > 0, [('replied', intDiv(opened_ms, {{.Seconds}}000) * {{.Seconds}}, toInt64(1)), ('reply_ms', intDiv(opened_ms, {{.Seconds}}000) * {{.Seconds}}, reply_ms - opened_ms)], []),
            if(is_opened AND solved_ms > 0, [('resolved', intDiv(opened_ms, {{.Seconds}}000) * {{.Seconds}}, toInt64(1)), ('resolution_ms', intDiv(opened_ms, {{.Seconds}}000) * {{.Seconds}}, solved_ms - opened_ms)], []),
            arrayMap(w -> ('solved', w, toInt64(1)), arrayDistinct(arrayMap(t -> intDiv(t, {{.Seconds}}000) * {{.Seconds}}, solves))),
            arrayMap(w -> ('reopened', w, toInt64(1)), arrayDistinct(arrayMap(t -> intDiv(t, {{.Seconds}}000) * {{.Seconds}}, reopenings))),
            arrayMap(w -> ('escalated', w, toInt64(1)), arrayDistinct(arrayMap(t -> intDiv(t, {{.Seconds}}000) * {{.Seconds}}, escalated))),
            arrayMap((s, change) -> ('backlog', intDiv(s.1 - 1, {{.Seconds}}000) * {{.Seconds}}, toInt64(change)),
                states, arrayPopFront(arrayDifference(arrayPushFront(arrayMap(s -> toInt64(s.2), states), toInt64(0)))))) AS moments
    FROM ({{.Lives}})
)
ARRAY JOIN moments AS moment
