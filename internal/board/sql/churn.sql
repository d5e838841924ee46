SELECT segment, window_start, accounts_start, accounts_new, accounts_lost, churn_rate, gross_revenue_retention, net_revenue_retention
FROM segment_churn_month
WHERE window_start >= @from
ORDER BY window_start DESC, segment
