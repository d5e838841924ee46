SELECT
    account_id,
    valid_from,
    valid_to,
    toBool(deleted) AS is_removed,
{{- range .AllAttributes}}
    {{.From "state"}} AS {{.Name}},
{{- end}}
    mapApply((k, v) -> (substring(k, 14), v), mapFilter((k, v) -> startsWith(k, 'external_ids.'), state)) AS external_ids,
    mapApply((k, v) -> (substring(k, 9), toFloat64OrZero(v)), mapFilter((k, v) -> startsWith(k, 'targets.') AND toFloat64OrNull(v) IS NOT NULL, state)) AS targets,
    state AS attributes
FROM
(
    -- A record is a patch: each attribute holds until the next record that names it, or until the account is removed.
    SELECT
        account_id,
        valid_from,
        deleted,
        leadInFrame(toNullable(valid_from)) OVER (PARTITION BY account_id ORDER BY valid_from, source, offset ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS valid_to,
        CAST(anyLastMap(attributes) OVER (PARTITION BY account_id, life ORDER BY valid_from, source, offset ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW), 'Map(String, String)') AS state
    FROM
    (
        SELECT
            account_id, valid_from, source, offset, deleted, attributes,
            sum(deleted) OVER (PARTITION BY account_id ORDER BY valid_from, source, offset ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS life
        FROM {{.DB}}.account_changes
        WHERE {{.Visible}}
    )
)
WHERE valid_to IS NULL OR valid_to > valid_from
