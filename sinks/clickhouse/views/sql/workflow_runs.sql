{{- /* data: builder */ -}}
SELECT
    account_id,
    workflow,
    leftPad(lower(hex(user)), 16, '0') AS user,
    fromUnixTimestamp64Milli(run.1, 'UTC') AS started_at,
    if(run.2 = steps, fromUnixTimestamp64Milli(run.3, 'UTC'), NULL) AS completed_at,
    run.2 AS step_reached,
    steps,
    fromUnixTimestamp64Milli(run.3, 'UTC') AS last_step_at,
    multiIf(
        run.2 = steps, 'completed',
        ifNull((SELECT complete_to FROM {{.DB}}.completeness WHERE topic = {{str .Topics.Telemetry.Name}}), toDateTime64({{.Now}}, 3, 'UTC')) > fromUnixTimestamp64Milli(run.1 + within, 'UTC'), 'abandoned',
        'open') AS state,
    if(run.2 = steps, (run.3 - run.1) / 1000, NULL) AS task_seconds
FROM
(
{{- range $i, $w := .Workflows}}
{{- if $i}}
    UNION ALL
{{- end}}
    -- A run is (start, step reached, time of that step). Steps of one time count in their order.
    SELECT account_id, user, {{str .Name}} AS workflow, toUInt8({{len .Steps}}) AS steps, {{$.Within .}} AS within,
        {{$.StepNames .}} AS names,
        arraySort(groupUniqArray((toUnixTimestamp64Milli(at), indexOf(names, name), name, id))) AS taken,
        arrayFold(
            (acc, x) -> multiIf(
                notEmpty(acc) AND acc[-1].2 < {{len .Steps}} AND x.1 - acc[-1].1 < {{$.Within .}},
                    if(x.3 = names[acc[-1].2 + 1], arrayPushBack(arrayPopBack(acc), (acc[-1].1, toUInt8(acc[-1].2 + 1), x.1)), acc),
                x.3 = names[1],
                    arrayPushBack(acc, (x.1, toUInt8(1), x.1)),
                acc),
            taken,
            CAST([], 'Array(Tuple(Int64, UInt8, Int64))')) AS runs
    FROM {{$.DB}}.facts
    WHERE kind = 'workflow' AND entity = {{str .Name}} AND {{$.Visible}}
    GROUP BY account_id, user
{{- end}}
)
ARRAY JOIN runs AS run
