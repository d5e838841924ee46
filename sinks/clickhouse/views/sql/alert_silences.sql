SELECT id, rule, account_id, starts_at, ends_at, starts_at <= {{.Now}} AND {{.Now}} < ends_at AS is_active, reason, created_by
FROM {{.DB}}.silences FINAL
