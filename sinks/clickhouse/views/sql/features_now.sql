-- Users and uses of the key features in the 28 days to the end of the present one.
SELECT account_id, groupArray((feature, users, uses)) AS of_features
FROM
(
    SELECT account_id, feature, sum(users_part) AS users, sum(uses_part) AS uses
    FROM
    (
        SELECT account_id, toString(feature) AS feature, uniqExactArray(members) AS users_part, toUInt64(0) AS uses_part
        FROM {{.DB}}.member_sets
        WHERE tier = 'day' AND feature IN ({{.Wanted}}) AND feature != '' AND metric = {{str .FeatureUsers}} AND {{.Visible}} AND window_start BETWEEN {{.StartOfDay 2332800}} AND {{.StartOfDay 0}}
        GROUP BY account_id, feature
        UNION ALL
        SELECT account_id, toString(feature) AS feature, toUInt64(0) AS users_part, max(value) AS uses_part
        FROM {{.DB}}.counters
        WHERE tier = 'day' AND feature IN ({{.Wanted}}) AND feature != '' AND metric = {{str .FeatureUses}} AND {{.Visible}} AND window_start BETWEEN {{.StartOfDay 2332800}} AND {{.StartOfDay 0}}
        GROUP BY account_id, window_start, feature, source
    )
    GROUP BY account_id, feature
)
GROUP BY account_id
