{{- /* data: goalViews */ -}}
SELECT
    g.account_id AS account_id,
    g.goal_id AS goal_id,
    v.at AS at,
    v.value AS value,
    (v.value - g.start) / (g.target - g.start) AS progress,
    least(1, dateDiff('millisecond', g.starts_at, v.at) / dateDiff('millisecond', g.starts_at, g.due_at)) AS elapsed_share,
    if(elapsed_share > 0, progress / elapsed_share, NULL) AS pace,
    toBool(if(g.target > g.start, v.value >= g.target, v.value <= g.target)) AS is_attained
FROM ({{.Include "goal_definitions" .}}) AS g
INNER JOIN ({{.Include "goal_values" .}}) AS v ON v.account_id = g.account_id AND v.measured_by = g.measured_by AND v.measure = g.measure
WHERE v.at >= g.starts_at
