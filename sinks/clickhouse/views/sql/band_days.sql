{{- /* data: rollingSlice */ -}}
-- How the numbers of daily, weekly and monthly users change. A user's day counts in {{.Days}} windows, the one that ends with
-- it first; as it comes and goes, the user may move from one band to another.
SELECT account_id, change.1 AS day,
    toInt64(n >= {{.DailyFrom}}) - toInt64(n_before >= {{.DailyFrom}}) AS daily,
    toInt64(n >= {{.WeeklyFrom}} AND n < {{.DailyFrom}}) - toInt64(n_before >= {{.WeeklyFrom}} AND n_before < {{.DailyFrom}}) AS weekly,
    toInt64(n > 0 AND n < {{.WeeklyFrom}}) - toInt64(n_before > 0 AND n_before < {{.WeeklyFrom}}) AS monthly,
    toInt64(n >= 10) - toInt64(n_before >= 10) AS regular
FROM
(
    SELECT account_id, member,
        groupUniqArray(day) AS days,
        arraySort(arrayConcat(arrayMap(d -> (toInt32(d), toInt64(1)), days), arrayMap(d -> (toInt32(d + {{.Days}}), toInt64(-1)), days))) AS changes,
        arrayCumSum(arrayMap(c -> c.2, changes)) AS counts,
        arrayPushFront(arrayPopBack(counts), toInt64(0)) AS counts_before
    FROM ({{.Include "member_days" .}})
    GROUP BY account_id, member
)
ARRAY JOIN changes AS change, counts AS n, counts_before AS n_before
WHERE daily != 0 OR weekly != 0 OR monthly != 0 OR regular != 0
