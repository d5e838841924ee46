{{- /* data: distinctDays */ -}}
-- Distinct members over {{.Days}} days without repeating each day {{.Days}} times: a member enters on a day that follows
-- {{.Days}} days or more without it, and leaves {{.Days}} days after the last day before such a pause. A running sum of these
-- changes is the number of members in the window that ends with each day.
SELECT {{join .Keys ", "}}, metric, change.1 AS day, change.2 AS delta
FROM
(
    SELECT {{join .Keys ", "}}, metric, member,
        arraySort(groupUniqArray(day)) AS days,
        arrayDifference(days) AS pauses,
        arrayConcat(
            arrayMap(d -> (toInt32(d), toInt64(1)), arrayFilter((d, pause) -> pause >= {{.Days}}, days, arrayPushFront(arrayPopFront(pauses), {{.Days}}))),
            arrayMap(d -> (toInt32(d + {{.Days}}), toInt64(-1)), arrayFilter((d, pause) -> pause >= {{.Days}}, days, arrayPushBack(arrayPopFront(pauses), {{.Days}})))) AS changes
    FROM
    (
        {{.Rows}}
    )
    GROUP BY {{join .Keys ", "}}, metric, member
)
ARRAY JOIN changes AS change
