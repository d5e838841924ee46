SELECT at, if(attributes['name'] != '', attributes['name'], name) AS survey, value AS score, attributes['scale_min'] AS scale_min, attributes['scale_max'] AS scale_max,
    attributes['comment'] AS comment, attributes['respondent_id'] AS respondent
FROM facts
WHERE kind = 'survey' AND account_id = @account AND at >= @from
ORDER BY at DESC, source, offset
LIMIT 1 BY source, offset
LIMIT 100
