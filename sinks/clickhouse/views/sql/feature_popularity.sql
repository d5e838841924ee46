SELECT
    f.feature AS feature,
    f.window_start AS window_start,
    f.window_start + 28 * 86400 AS window_end,
    f.accounts_using AS accounts_using,
    k.accounts_known AS accounts_known,
    if(accounts_known > 0, accounts_using / accounts_known, NULL) AS share,
    toUInt64(arraySum(p -> if({{.EntitledTo "f.feature" "p.1"}}, p.2, 0), k.plans)) AS accounts_entitled,
    if(accounts_entitled > 0, f.entitled_using / accounts_entitled, NULL) AS share_of_entitled,
    f.uses AS uses,
    f.users AS users
FROM
(
    SELECT d.feature AS feature, d.window_start AS window_start,
        countIf(d.uses > 0) AS accounts_using, countIf(d.uses > 0 AND {{.EntitledTo "d.feature" "d.plan"}}) AS entitled_using, sum(d.uses) AS uses, sum(d.users) AS users
    FROM {{.DB}}.features_28d AS d
    GROUP BY feature, window_start
) AS f
LEFT JOIN
(
    SELECT window_start, sum(n) AS accounts_known, groupArray((plan, n)) AS plans
    FROM
    (
        SELECT d.window_start - 27 * 86400 AS window_start, ifNull(h.plan, '') AS plan, count() AS n
        FROM ({{.Include "spine" .}}) AS d
        {{$.AsOf "h" "d" "toDateTime64(d.window_start + 86400, 3, 'UTC')"}}
        GROUP BY window_start, plan
    )
    GROUP BY window_start
) AS k ON k.window_start = f.window_start
