SELECT
    account_id,
    segment,
    since AS entered_at,
    next_at AS left_at,
    greatest(0, dateDiff('millisecond', since, least(ifNull(next_at, toDateTime64({{.Now}}, 3, 'UTC')), toDateTime64({{.Now}}, 3, 'UTC'))) / 86400000) AS days,
    before AS came_from,
    after AS went_to
FROM
(
    SELECT account_id, segment, is_removed, since,
        leadInFrame(toNullable(since)) OVER in_order AS next_at,
        if(n = 1, NULL, lagInFrame(toNullable(if(is_removed, NULL, segment))) OVER in_order) AS before,
        leadInFrame(toNullable(if(is_removed, NULL, segment))) OVER in_order AS after
    FROM
    (
        SELECT account_id, is_removed, segment, valid_from AS since, row_number() OVER (PARTITION BY account_id ORDER BY valid_from) AS n
        FROM
        (
            SELECT account_id, valid_from, is_removed, ifNull(toString(h.segment), '') AS segment,
                lagInFrame((toUInt8(is_removed) + 1, segment)) OVER (PARTITION BY account_id ORDER BY valid_from ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS previous
            FROM {{.DB}}.account_history AS h
        )
        WHERE previous != (toUInt8(is_removed) + 1, segment)
    )
    WINDOW in_order AS (PARTITION BY account_id ORDER BY since ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
)
WHERE NOT is_removed
