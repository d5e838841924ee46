{{- /* data: health */ -}}
SELECT account_id, window_start, window_start + 86400 AS window_end, profile, part.1 AS component, part.2 AS value, part.3 AS shown, part.4 AS shown_previous,
    part.5 AS points, part.6 AS contribution, part.7 AS contribution_previous, part.6 - part.7 AS delta,
    if(ifNull(abs(delta), 0) < 0.05, '', concat(if(delta > 0, '+', ''), toString(round(delta, 1)), ': ', component, ' ', if(shown_previous = '', 'unknown', shown_previous), ' -> ', if(shown = '', 'unknown', shown))) AS reason,
    complete
FROM
(
    SELECT account_id, window_start, profile, complete, part
    FROM ({{.Include "health_compared" .}})
    ARRAY JOIN arrayZip(names, component_values, shown, if(profile_1 = profile, shown_1, arrayResize([''], length(names), '')), component_points, contributions,
        if(profile_1 = profile, contributions_1, arrayResize(CAST([], 'Array(Nullable(Float64))'), length(names), NULL))) AS part
)
