SELECT
    CAST(label, 'LowCardinality(String)') AS label,
    value,
    CAST(metric, 'LowCardinality(String)') AS metric,
    countIf(is_labelled) AS accounts_labelled,
    countIf(NOT is_labelled) AS accounts_others,
    avgOrNullIf(x, is_labelled) AS mean_labelled,
    avgOrNullIf(x, NOT is_labelled) AS mean_others,
    sqrt((sumIf(pow(x, 2), is_labelled) - pow(sumIf(x, is_labelled), 2) / accounts_labelled + sumIf(pow(x, 2), NOT is_labelled) - pow(sumIf(x, NOT is_labelled), 2) / accounts_others)
        / (accounts_labelled + accounts_others - 2)) AS pooled,
    if(accounts_labelled > 1 AND accounts_others > 1 AND pooled > 1e-12, (mean_labelled - mean_others) / pooled, NULL) AS effect_size,
    -- The sum of the labelled accounts' ranks less the least that it can be: Mann and Whitney's U.
    if(accounts_labelled > 0 AND accounts_others > 0,
        (sumIf(place, is_labelled) - accounts_labelled * (accounts_labelled + 1) / 2) / (accounts_labelled * accounts_others), NULL) AS auc
FROM
(
    SELECT label, value, metric, x, is_labelled,
        -- Equal values share the mean of their places.
        rank() OVER (PARTITION BY label, value, metric ORDER BY x) + (count() OVER (PARTITION BY label, value, metric, x) - 1) / 2 AS place
    FROM
    (
        SELECT p.label AS label, v.value AS value, p.metric AS metric, p.x AS x, p.own = v.value AS is_labelled
        FROM
        (
            SELECT l.1 AS label, assumeNotNull(l.2) AS own, m.1 AS metric, assumeNotNull(m.2) AS x
            FROM
            (
                SELECT f.*, nullIf(a.attributes['successful'], '') AS successful
                FROM {{.DB}}.portfolio AS f
                LEFT JOIN {{.DB}}.accounts AS a ON a.account_id = f.account_id
            )
            ARRAY JOIN
                CAST([('stage', toString(stage)), ('segment', toString(segment)), ('successful', successful)], 'Array(Tuple(String, Nullable(String)))') AS l
            ARRAY JOIN
                CAST([{{range $i, $m := .TestedMetrics}}{{if $i}}, {{end}}('{{$m}}', toFloat64({{$m}})){{end}}], 'Array(Tuple(String, Nullable(Float64)))') AS m
            WHERE l.2 IS NOT NULL AND m.2 IS NOT NULL
        ) AS p
        INNER JOIN
        (
            SELECT DISTINCT l.1 AS label, assumeNotNull(l.2) AS value
            FROM {{.DB}}.accounts
            ARRAY JOIN CAST([('stage', toString(stage)), ('segment', toString(segment)), ('successful', nullIf(attributes['successful'], ''))], 'Array(Tuple(String, Nullable(String)))') AS l
            WHERE l.2 IS NOT NULL
        ) AS v ON v.label = p.label
    )
)
GROUP BY label, value, metric
