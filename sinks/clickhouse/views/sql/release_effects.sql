{{- /* data: releaseViews */ -}}
WITH
    (SELECT complete_to FROM {{.DB}}.completeness WHERE topic = {{str .Topics.Telemetry.Name}}) AS in_to,
    sides AS
    (
        SELECT version, only_segment, deployed_at, release_day, days_after, side.1 AS is_after, side.2 AS side_start, side.3 AS side_end
        FROM
        (
            SELECT version, segment AS only_segment, deployed_at,
                toStartOfDay(toDateTime(deployed_at, 'UTC')) AS release_day,
                toUInt8(least(greatest(intDiv(toInt64(toUnixTimestamp(toStartOfDay({{.Now}}))) - toInt64(toUnixTimestamp(release_day)), 86400) - 1, 0), {{.EffectDays}})) AS days_after,
                [(0, release_day - 86400 * {{.EffectDays}}, release_day), (1, release_day + 86400, release_day + 86400 * (1 + days_after))] AS both
            FROM ({{.Include "releases" .}})
        )
        ARRAY JOIN both AS side
    ),
    days AS
    (
        SELECT version, only_segment, is_after, toDateTime(arrayJoin(range(toUInt32(side_start), toUInt32(side_end), 86400)), 'UTC') AS window_start FROM sides
    )
SELECT
    version,
    deployed_at,
    segment,
    metric,
    count() AS accounts,
    avg(before) AS before_avg,
    avgOrNull(after) AS after_avg,
    after_avg - before_avg AS difference,
    if(before_avg != 0, difference / before_avg, NULL) AS relative_change,
    if(accounts > 1, stddevSampStable(before), NULL) AS before_stddev,
    if(accounts > 1, stddevSampStable(assumeNotNull(after)), NULL) AS after_stddev,
    if(before_stddev + after_stddev > 0, difference / sqrt((pow(before_stddev, 2) + pow(after_stddev, 2)) / 2), NULL) AS effect_size,
    any(after_days) AS days_after,
    toBool(ifNull(days_after = {{.EffectDays}} AND max(after_end) <= in_to, false)) AS complete
FROM
(
    SELECT a.version AS version, a.only_segment AS only_segment, a.account_id AS account_id, a.metric AS metric,
        any(a.deployed_at) AS deployed_at, any(a.segment) AS segment, any(a.days_after) AS after_days, any(a.after_end) AS after_end,
        sumIf(u.amount, u.is_after = 0) / {{.EffectDays}} AS before,
        if(after_days > 0, sumIf(u.amount, u.is_after = 1) / after_days, NULL) AS after
    FROM
    (
        -- Every account that was known on all these days, and every metric, so that silence counts as zero.
        SELECT s.version AS version, s.only_segment AS only_segment, s.deployed_at AS deployed_at, s.days_after AS days_after, s.after_end AS after_end,
            k.account_id AS account_id, CAST(ifNull(h.segment, ''), 'String') AS segment, arrayJoin([{{.Names .Counted}}, {{.Names .Distinct}}]) AS metric
        FROM
        (
            SELECT version, only_segment, deployed_at, release_day, days_after, 1 AS one, min(side_start) AS before_start, max(side_end) AS after_end
            FROM sides GROUP BY version, only_segment, deployed_at, release_day, days_after
        ) AS s
        INNER JOIN (SELECT *, 1 AS one FROM ({{.Include "known_accounts" .}})) AS k ON k.one = s.one
        {{$.AsOf "h" "k" "s.deployed_at"}}
        WHERE k.since < s.before_start + 86400 AND (k.until IS NULL OR k.until >= s.after_end) AND s.only_segment IN ('', segment)
    ) AS a
    LEFT JOIN
    (
        SELECT d.version AS version, d.only_segment AS only_segment, d.is_after AS is_after, c.account_id AS account_id, c.metric AS metric, sum(c.counted) AS amount
        FROM days AS d
        INNER JOIN
        (
            SELECT account_id, window_start, toString(metric) AS metric, sum(most) AS counted
            FROM
            (
                SELECT account_id, window_start, metric, source, max(value) AS most
                FROM {{.DB}}.counters
                WHERE tier = 'day' AND feature = '' AND metric IN ({{.Names .Counted}}) AND {{.Visible}} AND window_start IN (SELECT window_start FROM days)
                GROUP BY account_id, window_start, metric, source
            )
            GROUP BY account_id, window_start, metric
            UNION ALL
            SELECT account_id, window_start, toString(metric) AS metric, uniqExact(member) AS counted
            FROM {{.DB}}.members
            WHERE tier = 'day' AND feature = '' AND metric IN ({{.Names .Distinct}}) AND {{.Visible}} AND window_start IN (SELECT window_start FROM days)
            GROUP BY account_id, window_start, metric
        ) AS c ON c.window_start = d.window_start
        GROUP BY version, only_segment, is_after, account_id, metric
    ) AS u ON u.version = a.version AND u.only_segment = a.only_segment AND u.account_id = a.account_id AND u.metric = a.metric
    GROUP BY version, only_segment, account_id, metric
)
GROUP BY version, only_segment, deployed_at, segment, metric
