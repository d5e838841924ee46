-- Every account that was heard of, since when, and until when if it was removed.
SELECT account_id, since, until FROM {{.DB}}.known_accounts WHERE {{.Visible}}
