SELECT if(name = '', goal_id, name) AS goal, measure, toNullable(start) AS start, toNullable(target) AS target, current_value, progress, elapsed_share, pace, due_at, state
FROM goals
WHERE account_id = @account
ORDER BY due_at, goal_id
LIMIT 100
