-- The first and last events of each user's minutes, in order. What lies between them needs no telling: pauses within a
-- minute are shorter than any that matters. Repeated rows, and several sources, only repeat times or add some.
SELECT account_id, user, at, starts, ended, active
FROM
(
    SELECT
        account_id,
        user,
        arraySort(groupArrayArray([toUnixTimestamp64Milli(first), toUnixTimestamp64Milli(last)])) AS ats,
        arrayDifference(ats) AS before,
        arrayPushBack(arrayPopFront(before), {{.SessionGap}}) AS after,
        arrayMap((pause, i) -> i = 1 OR pause >= {{.SessionGap}}, before, arrayEnumerate(before)) AS all_starts,
        arrayReverseFill((x, pause) -> pause >= {{.SessionGap}}, ats, after) AS all_ended,
        arrayMap(pause -> if(pause < {{.SessionGap}}, least(pause, {{.IdleCap}}), 0), after) AS all_active
    FROM {{.DB}}.user_minutes
    WHERE {{.Visible}}{{if .MinutesFrom}} AND minute >= {{.MinutesFrom}}{{end}}
    GROUP BY account_id, user
)
ARRAY JOIN ats AS at, all_starts AS starts, all_ended AS ended, all_active AS active
