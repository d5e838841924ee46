{{- /* data: rollingSlice of today */ -}}
-- What rolling_slice.sql gives for the window that ends with the present day, for a tenth of the work.
SELECT
    k.account_id AS account_id,
    {{.StartOfDay 2332800}} AS window_start,
    u.users AS users,
    u.active_users AS active_users,
    tupleElement(arrayReduce('simpleLinearRegression', arrayMap(a -> toFloat64(intDiv(toUInt32({{.StartOfDay 0}}), 86400) - a), k.ages), arrayMap(a -> toFloat64(u.windows[a + 1]), k.ages)), 1) AS active_users_slope
FROM ({{.Include "known_today" .}}) AS k
LEFT JOIN
(
    SELECT account_id, countIf(bitAnd(bits_0, {{.Month}}) != 0) AS users, countIf(bitAnd(bits_1, {{.Month}}) != 0) AS active_users,
        sumForEach(arrayMap(age -> toUInt64(bitAnd(bitShiftRight(bits_1, age), {{.Month}}) != 0), range(28))) AS windows
    FROM ({{.Include "user_bits" .}})
    GROUP BY account_id
) AS u ON u.account_id = k.account_id
