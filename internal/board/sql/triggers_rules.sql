SELECT DISTINCT toString(rule) AS rule FROM alert_history ORDER BY rule
