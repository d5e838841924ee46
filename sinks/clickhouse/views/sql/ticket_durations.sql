SELECT account_id, toString(priority) AS priority, toInt32(intDiv(toUnixTimestamp(assumeNotNull(opened_at)), 86400)) AS d, first_reply_seconds, resolution_seconds
FROM {{.DB}}.tickets
WHERE opened_at IS NOT NULL AND (first_reply_seconds IS NOT NULL OR resolution_seconds IS NOT NULL)
