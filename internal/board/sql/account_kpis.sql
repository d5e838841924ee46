SELECT kpi, unit, period_start, period_end, period, value, change, usage_complete, events, active_users
FROM kpis
WHERE account_id = @account AND period_start >= @from
ORDER BY kpi, period_start DESC
LIMIT 12 BY kpi
LIMIT 200
