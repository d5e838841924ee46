{{- /* data: rollingSlice of today */ -}}
-- A bit for each day on which a user was seen, the present one the lowest.
SELECT account_id, member,
{{- range $i, $m := .MemberMetrics}}{{if $i}},{{end}}
    groupBitOr({{if $.OfValue}}bit{{else}}if(metric = {{str $m}}, bit, 0){{end}}) AS bits_{{$i}}
{{- end}}
FROM
(
    SELECT account_id, metric, member, bitShiftLeft(toUInt64(1), dateDiff('day', window_start, {{.StartOfDay 0}})) AS bit
    FROM {{.DB}}.members
    WHERE tier = 'day' AND feature = '' AND {{.AreMembers}} AND {{.Visible}}
        AND window_start BETWEEN {{.FirstDay}} AND {{.LastDay}}
)
GROUP BY account_id, member
