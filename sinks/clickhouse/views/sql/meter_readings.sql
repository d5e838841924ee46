        count() AS readings,
        argMax(value, (at, source, offset)) AS last_value,
        max(at) AS last_at,
        max(value) AS max_value,
        sum(value) AS sum_value,
        argMaxIf(toFloat64OrNull(attributes['limit']), (at, source, offset), attributes['limit'] != '') AS told_limit
