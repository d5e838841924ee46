{{- /* data: kpiViews */ -}}
SELECT
    account_id,
    kpi,
    period,
    usage.1 AS usage_metric,
    periods_back AS lag,
    length(pairs) AS periods,
    if(periods >= {{.CorrelationPeriods}} AND isFinite(arrayReduce('corrStable', pairs.1, pairs.2) AS r), r, NULL) AS pearson,
    if(periods >= {{.CorrelationPeriods}} AND pearson IS NOT NULL AND isFinite(arrayReduce('corrStable', usage_ranks, kpi_ranks) AS rho), rho, NULL) AS spearman
FROM
(
    SELECT account_id, kpi, period, usage, periods_back, pairs,
        -- Equal values share the mean of their ranks; rankCorr reckons as if there were none.
        arrayMap(v -> (countEqual(pairs.1, v) + 1) / 2 + arrayCount(x -> x < v, pairs.1), pairs.1) AS usage_ranks,
        arrayMap(v -> (countEqual(pairs.2, v) + 1) / 2 + arrayCount(x -> x < v, pairs.2), pairs.2) AS kpi_ranks
    FROM
    (
        SELECT account_id, kpi, period, usage, periods_back,
            -- A pair counts if the periods between the two follow each other without a gap.
            arrayMap(i -> (usage.2[i - periods_back], values[i]),
                arrayFilter(i -> complete[i - periods_back] AND gaps[i] = gaps[i - periods_back], range(1 + periods_back, length(values) + 1))) AS pairs
        FROM
        (
            SELECT account_id, kpi, period,
                arraySort(groupArray((period_start, period_end, value, toFloat64(events), toFloat64(active_users), usage_complete))) AS rows,
                rows.3 AS values,
                rows.6 AS complete,
                arrayCumSum(arrayMap((start, end_before) -> start != end_before, rows.1, arrayPushFront(arrayPopBack(rows.2), rows.1[1]))) AS gaps,
                [('events', rows.4), ('active_users', rows.5)] AS usages
            FROM {{.DB}}.kpis
            GROUP BY account_id, kpi, period
        )
        ARRAY JOIN usages AS usage
        ARRAY JOIN range({{.Lags}} + 1) AS periods_back
    )
)
