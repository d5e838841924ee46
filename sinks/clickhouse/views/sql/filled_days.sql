{{- /* data: days with data, by key */ -}}
-- The days whose window of {{.Days}} days has any data, up to today or, where a clock was fast, the data's own day.
SELECT {{join .Keys ", "}}, toInt32(filled) AS day
FROM
(
    SELECT {{join .Keys ", "}},
        arraySort(groupUniqArray(day)) AS days,
        arrayFlatten(arrayMap((d, following) -> range(d, least(d + {{.Days}}, following)), days, arrayPushBack(arrayPopFront(days), toInt32(2000000)))) AS all_filled
    FROM
    (
        {{.Rows}}
    )
    GROUP BY {{join .Keys ", "}}
)
ARRAY JOIN all_filled AS filled
WHERE filled <= {{.Today}} OR has(days, filled)
