SELECT arraySort(groupUniqArray(500)(ifNull(toString(segment), ''))) AS segments, arraySort(groupUniqArray(500)(ifNull(toString(owner), ''))) AS owners
FROM portfolio_now
