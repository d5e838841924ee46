{{- /* data: rollingSlice of today */ -}}
-- What rolling_slice.sql gives for the window that ends with the present day, for a tenth of the work.
SELECT
    k.account_id AS account_id,
    {{.StartOfDay 2332800}} AS window_start,
    u.active_days AS active_days,
    u.active_users AS active_users,
    u.active_user_days AS active_user_days,
    u.users_daily AS users_daily,
    u.users_weekly AS users_weekly,
    u.users_monthly AS users_monthly,
    u.users_regular AS users_regular
FROM ({{.Include "known_today" .}}) AS k
LEFT JOIN
(
    SELECT account_id, toUInt64(bitCount(groupBitOr(bits))) AS active_days, countIf(bits != 0) AS active_users, sum(n) AS active_user_days,
        countIf(n >= {{.DailyFrom}}) AS users_daily, countIf(n >= {{.WeeklyFrom}} AND n < {{.DailyFrom}}) AS users_weekly, countIf(n > 0 AND n < {{.WeeklyFrom}}) AS users_monthly,
        countIf(n >= 10) AS users_regular
    FROM (SELECT account_id, bitAnd(bits_0, {{.Month}}) AS bits, bitCount(bits) AS n FROM ({{.Include "user_bits" .}}))
    GROUP BY account_id
) AS u ON u.account_id = k.account_id
