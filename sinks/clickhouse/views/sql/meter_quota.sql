    r.sum_value AS sum_value,
    {{.MeterQuota .Name}} AS quota,
    if(quota > 0, r.sum_value / quota, NULL) AS quota_utilization,
    h.segment AS segment,
