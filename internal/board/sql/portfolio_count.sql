SELECT count() AS accounts, countIf({where}) AS found, max(toNullable(computed_at)) AS computed_at, countIf({where} AND health_band = 'poor') AS poor,
    countIf({where} AND renewal_at BETWEEN @now AND @now + INTERVAL 90 DAY) AS renewals, toFloat64(sumIf(ifNull(mrr, 0), {where})) AS mrr,
    sumIf(tickets_open, {where}) AS tickets, countIf({where} AND escalations_30d > 0) AS escalated
FROM portfolio_now
