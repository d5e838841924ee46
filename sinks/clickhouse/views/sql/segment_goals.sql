{{- /* data: goalViews */ -}}
SELECT
    CAST(ifNull(g.segment, ''), 'String') AS segment,
    g.goal_id AS goal_id,
    count() AS goals,
    countIf(g.state = 'attained') AS attained,
    countIf(g.state = 'attained late') AS attained_late,
    countIf(g.state = 'missed') AS missed,
    countIf(g.state = 'on track') AS on_track,
    countIf(g.state = 'behind') AS behind,
    countIf(g.state IN ('not started', 'unknown')) AS unknown,
    if(attained + attained_late + missed > 0, attained / (attained + attained_late + missed), NULL) AS attainment,
    quantileExactInclusiveOrNull(0.5)(g.progress) AS progress_median
FROM {{.DB}}.goals AS g
GROUP BY segment, goal_id
