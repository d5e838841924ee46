SELECT r.version AS version, min(r.deployed_at) AS deployed_at, sum(r.deployments) AS deployments, argMax(r.notes, r.deployed_at) AS notes,
    arrayStringConcat(arraySort(groupUniqArray(if(r.segment = '', 'all', r.segment))), ', ') AS segments
FROM releases AS r
GROUP BY version
ORDER BY deployed_at DESC, version DESC
LIMIT 100
