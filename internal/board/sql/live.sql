SELECT c.topic AS topic, c.complete_to AS complete_to, p.positions AS positions
FROM completeness AS c
INNER JOIN
(
    SELECT splitByChar('/', source)[1] AS topic, toUInt64(sum(position)) AS positions
    FROM (SELECT source, argMax(position, observed_at) AS position FROM source_progress GROUP BY source)
    GROUP BY topic
) AS p ON p.topic = c.topic
ORDER BY topic
