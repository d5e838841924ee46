SELECT
    w.account_id AS account_id,
    a.segment AS segment,
    toDateTime(w.began, 'UTC') AS window_start,
    toDateTime({{.Add}}(w.began, 1), 'UTC') AS window_end,
    toUInt64(w.n) AS age,
    w.size AS users,
    toUInt64(w.back[w.n]) AS retained,
    retained / users AS retention_rate,
    toBool(ifNull(toDateTime({{.Add}}(w.began, w.n + 1), 'UTC') <= (SELECT complete_to FROM {{.DB}}.completeness WHERE topic = {{str .Topics.Telemetry.Name}}), false)) AS complete
FROM
(
    SELECT account_id, began, count() AS size,
        sumMap(arrayMap(x -> (x, toUInt64(1))::Tuple(UInt32, UInt64), ages)::Map(UInt32, UInt64)) AS back,
        arrayJoin(range(toUInt32(1 + greatest(0, dateDiff('{{.Period}}', began, toDate({{.Now}})))))) AS n
    FROM
    (
        SELECT account_id, member, {{.Start}}(min(window_start)) AS began, groupUniqArray({{.Start}}(window_start)) AS periods, arrayMap(p -> toUInt32(dateDiff('{{.Period}}', began, p)), periods) AS ages
        FROM {{.DB}}.members
        WHERE tier = 'day' AND feature = '' AND {{.HasValue}} AND {{.Visible}}
        GROUP BY account_id, member
    )
    GROUP BY account_id, began
) AS w
LEFT JOIN (SELECT account_id, segment FROM {{.DB}}.accounts) AS a ON a.account_id = w.account_id
