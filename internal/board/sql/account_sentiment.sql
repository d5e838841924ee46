SELECT nps, nps_responses, csat, csat_responses, ces, ces_responses
FROM sentiment_90d
WHERE account_id = @account AND window_start = toStartOfDay(toDateTime(@now, 'UTC')) - INTERVAL 89 DAY
