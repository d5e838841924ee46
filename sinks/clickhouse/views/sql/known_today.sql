{{- /* data: rollingSlice of today */ -}}
SELECT account_id, arraySort(groupArray(dateDiff('day', window_start, {{.StartOfDay 0}}))) AS ages
FROM ({{.Include "spine" .}})
WHERE window_start BETWEEN {{.StartOfDay 2332800}} AND {{.LastDay}}
GROUP BY account_id
HAVING has(ages, 0)
