-- Every window of every known account, as far back as the tier's horizon.
SELECT account_id, toDateTime(start, 'UTC') AS window_start
FROM
(
    SELECT
        account_id,
        range(
            toUInt32({{.Tier.Start}}(toDateTime(greatest(since, toDateTime64({{.Now}}, 3, 'UTC') - {{.Tier.Horizon}}), 'UTC'))),
            toUInt32(least({{.Now}}, ifNull(toDateTime(until, 'UTC'), {{.Now}}))) + 1,
            {{.Tier.Seconds}}) AS starts
    FROM ({{.Include "known_accounts" .}})
)
ARRAY JOIN starts AS start
