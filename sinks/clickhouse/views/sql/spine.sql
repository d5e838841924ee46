-- Every window of every known account, as far back as the tier's horizon.
SELECT account_id, toDateTime(start, 'UTC') AS window_start
FROM
(
    SELECT
        account_id,
        -- Times that people wrote may lie anywhere: they are bounded before they become a DateTime, which would wrap.
        toDateTime64({{.Now}}, 3, 'UTC') AS at,
        range(
            toUInt32({{.Tier.Start}}(toDateTime(least(greatest(since, at - {{.Tier.Horizon}}{{with spineFrom .}}, toDateTime64({{.}}, 3, 'UTC'){{end}}), at + 86400), 'UTC'))),
            toUInt32(toDateTime(least(at{{with spineTo .}}, toDateTime64({{.}}, 3, 'UTC'){{end}}, greatest(toDateTime64(0, 3, 'UTC'), ifNull(until, at))), 'UTC')) + 1,
            {{.Tier.Seconds}}) AS starts
    FROM ({{.Include "known_accounts" .}})
)
ARRAY JOIN starts AS start
