SELECT
    a.account_id AS account_id,
    a.segment AS segment,
    list.1 AS item,
    toUInt64(n) AS position,
    if(notEmpty(times), arrayMin(times), NULL) AS done_at,
    toBool(notEmpty(times)) AS is_done
FROM
(
    SELECT k.account_id AS account_id, k.segment AS segment, list, n, arrayMap(x -> x.2, arrayFilter(x -> has(list.2, x.1), e.events)) AS times
    FROM (SELECT account_id, segment, {{.Checklist "segment"}} AS checklist FROM {{.DB}}.accounts) AS k
    LEFT JOIN
    (
        SELECT account_id, groupArray((event, first_at)) AS events
        FROM
        (
            SELECT account_id, toString(name) AS event, min(at) AS first_at
            FROM {{.DB}}.facts
            WHERE kind = 'workflow' AND name IN ({{.ChecklistEvents}}) AND {{.Visible}}
            GROUP BY account_id, event
        )
        GROUP BY account_id
    ) AS e ON e.account_id = k.account_id
    ARRAY JOIN k.checklist AS list, arrayEnumerate(k.checklist) AS n
) AS a
