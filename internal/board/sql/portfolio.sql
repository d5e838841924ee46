SELECT account_id, name FROM accounts ORDER BY account_id LIMIT 50
