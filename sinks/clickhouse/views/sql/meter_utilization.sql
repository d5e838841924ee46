    r.readings AS readings,
    r.last_value AS last_value,
    r.last_at AS last_at,
    r.max_value AS max_value,
    coalesce(r.told_limit, toFloat64OrNull(h.attributes[concat('limits.', r.meter)]), {{.MeterQuota ""}}) AS limit,
    if(limit > 0, r.last_value / limit, NULL) AS utilization,
    if(limit > 0, r.max_value / limit, NULL) AS max_utilization,
    limit - r.last_value AS headroom
