SELECT w.segment AS segment, w.window_start AS window_start, addMonths(w.window_start, 1) AS window_end,
    w.accounts_start AS accounts_start, w.accounts_lost AS accounts_lost, w.accounts_new AS accounts_new,
    if(w.accounts_start > 0, w.accounts_lost / w.accounts_start, NULL) AS churn_rate,
    1 - churn_rate AS retention_rate,
    w.mrr_start AS mrr_start, w.mrr_lost AS mrr_lost, w.mrr_contracted AS mrr_contracted, w.mrr_expanded AS mrr_expanded, w.mrr_new AS mrr_new,
    if(w.mrr_start > 0, (w.mrr_start - w.mrr_lost - w.mrr_contracted) / w.mrr_start, NULL) AS gross_revenue_retention,
    if(w.mrr_start > 0, (w.mrr_start - w.mrr_lost - w.mrr_contracted + w.mrr_expanded) / w.mrr_start, NULL) AS net_revenue_retention,
    w.accounts_active AS accounts_active, w.accounts_inactive AS accounts_inactive,
    if(w.accounts_active > 0, w.accounts_inactive / w.accounts_active, NULL) AS behavioural_churn_rate,
    toBool(w.is_complete) AS complete
FROM
(
    SELECT a.segment AS segment, a.window_start AS window_start,
        countIf(a.is_customer_start) AS accounts_start, countIf(a.is_lost) AS accounts_lost, countIf(a.is_new) AS accounts_new,
        ifNull(sum(a.mrr_start), 0) AS mrr_start, sum(a.mrr_lost) AS mrr_lost, sum(a.mrr_contracted) AS mrr_contracted, sum(a.mrr_expanded) AS mrr_expanded, sum(a.mrr_new) AS mrr_new,
        countIf(a.was_active) AS accounts_active, countIf(a.is_inactive) AS accounts_inactive,
        min(a.complete) AS is_complete
    FROM {{.DB}}.account_months AS a
    WHERE a.is_customer_start OR a.is_customer_end
    GROUP BY segment, window_start
) AS w
