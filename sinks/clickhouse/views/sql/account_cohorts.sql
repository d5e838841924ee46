SELECT
    w.segment AS segment,
    toDateTime(w.began, 'UTC') AS window_start,
    toDateTime({{.Add}}(w.began, 1), 'UTC') AS window_end,
    toUInt64(w.n) AS age,
    w.size AS accounts,
    toUInt64(w.back[w.n]) AS retained,
    retained / accounts AS retention_rate,
    toBool(ifNull(toDateTime({{.Add}}(w.began, w.n + 1), 'UTC') <= (SELECT complete_to FROM {{.DB}}.completeness WHERE topic = {{str .Topics.Telemetry.Name}}), false)) AS complete
FROM
(
    SELECT CAST(ifNull(a.segment, ''), 'String') AS segment, d.began AS began, count() AS size,
        sumMap(arrayMap(x -> (x, toUInt64(1))::Tuple(UInt32, UInt64), d.ages)::Map(UInt32, UInt64)) AS back,
        arrayJoin(range(toUInt32(1 + greatest(0, dateDiff('{{.Period}}', began, toDate({{.Now}})))))) AS n
    FROM
    (
        SELECT account_id, {{.Start}}(min(day_start)) AS began, groupUniqArray({{.Start}}(day_start)) AS periods, arrayMap(p -> toUInt32(dateDiff('{{.Period}}', began, p)), periods) AS ages
        FROM ({{.Include "value_days" .}})
        GROUP BY account_id
    ) AS d
    LEFT JOIN (SELECT account_id, segment FROM {{.DB}}.account_history WHERE valid_to IS NULL) AS a ON a.account_id = d.account_id
    GROUP BY segment, began
) AS w
