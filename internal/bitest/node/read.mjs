// Reads the views with @clickhouse/client: read.mjs PLAN, a JSON file; what it got is printed as JSON.

import { readFileSync } from 'node:fs'
import { createClient } from '@clickhouse/client'

const plan = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const client = createClient({
  url: `http://${plan.host}:${plan.port}`,
  username: plan.user,
  password: plan.password,
  database: plan.database,
  request_timeout: 300_000, // ms; planning a view takes seconds on a busy machine
})

async function rows(query, query_params, format = 'JSONEachRow') {
  const result = await client.query({ query, query_params, format })
  return result.json()
}

const views = await rows(
  "SELECT name, comment FROM system.tables WHERE database = currentDatabase() AND engine = 'View' ORDER BY name",
  {},
  'JSONCompactEachRow',
)
const comments = await rows(
  `SELECT table, name, comment FROM system.columns WHERE database = {database: String}
    AND table IN (SELECT name FROM system.tables WHERE database = {database: String} AND engine = 'View') ORDER BY table, position`,
  { database: plan.database },
  'JSONCompactEachRow',
)
const answers = {}
for (const question of plan.questions) {
  answers[question.name] = await rows(question.sql, question.parameters)
}
await client.close()
process.stdout.write(JSON.stringify({ views, comments, answers }))
