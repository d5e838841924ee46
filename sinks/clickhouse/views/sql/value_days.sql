-- Days on which an account had a value event.
SELECT DISTINCT account_id, window_start AS day_start
FROM {{.DB}}.member_sets
WHERE tier = 'day' AND feature = '' AND {{.HasValue}} AND {{.Visible}}
