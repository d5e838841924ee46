SELECT
    a.account_id AS account_id,
    a.segment AS segment,
    ifNull(a.created_at, a.known_since) AS created_at,
    i.total AS items_total,
    i.done AS items_done,
    if(i.total > 0, i.done / i.total, NULL) AS progress,
    i.last_at AS last_item_at,
    if(i.done = i.total AND i.total > 0, i.last_at, NULL) AS completed_at,
    if(completed_at IS NULL, NULL, greatest(0, dateDiff('millisecond', created_at, completed_at) / 86400000)) AS days_to_complete,
    CAST(multiIf(i.done = i.total, 'done',
        dateDiff('second', greatest(created_at, ifNull(i.last_at, created_at)), toDateTime64({{.Now}}, 3, 'UTC')) > {{.StalledAfter "a.segment"}}, 'stalled', 'open'), 'LowCardinality(String)') AS state,
    i.next AS next_item
FROM {{.DB}}.accounts AS a
LEFT JOIN
(
    SELECT o.account_id AS account_id, count() AS total, countIf(o.is_done) AS done, max(o.done_at) AS last_at, argMinIf(toNullable(o.item), o.position, NOT o.is_done) AS next
    FROM {{.DB}}.onboarding_items AS o
    GROUP BY account_id
) AS i ON i.account_id = a.account_id
