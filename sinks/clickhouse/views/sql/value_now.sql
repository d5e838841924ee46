SELECT account_id, toNullable(toDate(min(day_start))) AS first_value_day, toNullable(toDate(max(day_start))) AS last_value_day
FROM ({{.Include "value_days" .}})
GROUP BY account_id
