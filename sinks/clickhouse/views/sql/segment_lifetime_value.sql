SELECT
    s.segment AS segment, s.accounts AS accounts, s.arpa AS arpa, {{.GrossMargin "s.segment"}} AS gross_margin, c.lost AS accounts_lost,
    if(c.at_start > 0, c.lost / c.at_start, NULL) AS monthly_churn_rate,
    if(c.lost > 0, s.arpa * gross_margin / monthly_churn_rate, NULL) AS lifetime_value_estimate
FROM
(
    SELECT a.segment AS segment, countIf(a.is_customer_end) AS accounts, avgOrNullIf(a.mrr_end, a.is_customer_end) AS arpa
    FROM (SELECT m.*  EXCEPT segment, CAST(ifNull(n.segment, ''), 'String') AS segment FROM {{.DB}}.account_months AS m LEFT JOIN {{.DB}}.accounts AS n ON n.account_id = m.account_id WHERE m.window_start = toDateTime(toStartOfMonth({{.Now}}), 'UTC') AND m.is_customer_end) AS a
    GROUP BY segment
) AS s
LEFT JOIN
(
    SELECT m.segment AS segment, sum(m.accounts_lost) AS lost, sum(m.accounts_start) AS at_start
    FROM {{.DB}}.segment_churn_month AS m
    WHERE m.window_start < toDateTime(toStartOfMonth({{.Now}}), 'UTC') AND m.window_start >= toDateTime(subtractMonths(toStartOfMonth({{.Now}}), 12), 'UTC')
    GROUP BY segment
) AS c ON c.segment = s.segment
