SELECT
    f.feature AS feature,
    f.window_start AS window_start,
    f.window_start + 28 * 86400 AS window_end,
    f.accounts_using AS accounts_using,
    k.accounts_known AS accounts_known,
    if(accounts_known > 0, accounts_using / accounts_known, NULL) AS share,
    f.uses AS uses,
    f.users AS users
FROM
(
    SELECT d.feature AS feature, d.window_start AS window_start,
        countIf(d.uses > 0) AS accounts_using, sum(d.uses) AS uses, sum(d.users) AS users
    FROM {{.DB}}.features_28d AS d
    GROUP BY feature, window_start
) AS f
LEFT JOIN
(
    SELECT d.window_start - 27 * 86400 AS window_start, count() AS accounts_known
    FROM ({{.Include "spine" .}}) AS d
    GROUP BY window_start
) AS k ON k.window_start = f.window_start
