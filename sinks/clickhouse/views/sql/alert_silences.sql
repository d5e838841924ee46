SELECT id, rule, account_id, starts_at, ends_at, CAST(starts_at <= {{.Now}} AND {{.Now}} < ends_at AS Bool) AS is_active, reason, created_by
FROM {{.DB}}.silences FINAL
