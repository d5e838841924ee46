SELECT splitByChar('@', source)[1] AS source, offset, received, applied, duplicate, filtered, dead_lettered, balanced, watermark, last_record_at
FROM reconciliation
ORDER BY topic, source
LIMIT 1000
