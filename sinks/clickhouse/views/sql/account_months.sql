SELECT
    m.account_id AS account_id,
    m.window_start AS window_start,
    m.window_end AS window_end,
    ifNull(if(m.since <= m.window_start, s.segment, e.segment), '') AS segment,
    toBool({{.Customer "s" "m.window_start"}}) AS is_customer_start,
    toBool({{.Customer "e" "m.until_at"}}) AS is_customer_end,
    toBool(is_customer_start AND NOT is_customer_end) AS is_lost,
    toBool(is_customer_end AND NOT is_customer_start) AS is_new,
    s.seats AS seats_start,
    e.seats AS seats_end,
    if(is_customer_start, s.mrr, NULL) AS mrr_start,
    if(is_customer_end, e.mrr, NULL) AS mrr_end,
    if(is_lost, ifNull(s.mrr, 0), 0) AS mrr_lost,
    if(is_customer_start AND is_customer_end, greatest(0, ifNull(s.mrr - e.mrr, 0)), 0) AS mrr_contracted,
    if(is_customer_start AND is_customer_end, greatest(0, ifNull(e.mrr - s.mrr, 0)), 0) AS mrr_expanded,
    if(is_new, ifNull(e.mrr, 0), 0) AS mrr_new,
    toBool(is_customer_start AND m.last_before >= m.window_start - 28 * 86400) AS was_active,
    toBool(was_active AND m.last_until < m.until_at - 28 * 86400) AS is_inactive,
    toBool(ifNull(m.window_end <= (SELECT complete_to FROM {{.DB}}.completeness WHERE topic = {{str .Topics.Telemetry.Name}}), false)) AS complete
FROM
(
    SELECT k.account_id AS account_id, k.window_start AS window_start, k.window_end AS window_end, k.until_at AS until_at, k.since AS since,
        arrayMax(arrayPushBack(arrayFilter(d -> d < window_start, b.days), toDateTime(0, 'UTC'))) AS last_before,
        arrayMax(arrayPushBack(arrayFilter(d -> d < until_at, b.days), toDateTime(0, 'UTC'))) AS last_until
    FROM
    (
        SELECT account_id, since,
            toDateTime(arrayJoin(arrayMap(i -> subtractMonths(toStartOfMonth({{.Now}}), i),
                range(if(since > toDateTime64({{.Now}}, 3, 'UTC'), toUInt32(0), toUInt32(1 + least({{.Months}}, dateDiff('month', toDateTime(least(greatest(since, toDateTime64('1971-01-01 00:00:00', 3, 'UTC')), toDateTime64({{.Now}}, 3, 'UTC')), 'UTC'), {{.Now}}))))))), 'UTC') AS window_start,
            toDateTime(addMonths(toDate(window_start), 1), 'UTC') AS window_end,
            least(window_end, {{.Now}}) AS until_at
        FROM ({{.Include "known_accounts" .}})
    ) AS k
    LEFT JOIN (SELECT account_id, groupArray(day_start) AS days FROM ({{.Include "value_days" .}}) GROUP BY account_id) AS b ON b.account_id = k.account_id
) AS m
{{$.AsOf "s" "m" "toDateTime64(m.window_start, 3, 'UTC')"}}
{{$.AsOf "e" "m" "toDateTime64(m.until_at, 3, 'UTC')"}}
