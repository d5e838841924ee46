SELECT account_id, metric, member, toInt32(toUInt32(window_start) / 86400) AS day
FROM {{.DB}}.members
WHERE tier = 'day' AND feature = '' AND {{.AreMembers}} AND {{.Visible}}
    AND window_start BETWEEN {{.FirstDay}} AND {{.LastDay}}
