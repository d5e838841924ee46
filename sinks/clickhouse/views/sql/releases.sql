{{- /* data: builder */ -}}
SELECT
    entity AS version,
    attributes['segment'] AS segment,
    min(at) AS deployed_at,
    count() AS deployments,
    argMax(attributes['notes'], (at, source, offset)) AS notes
FROM {{.DB}}.facts
WHERE kind = 'release'
GROUP BY version, segment
