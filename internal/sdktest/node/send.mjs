// Sends the calls of a plan with @segment/analytics-node, as an application
// would, and prints what became of them: {"sent": n, "failed": [reason, ...]}.
// usage: node send.mjs PLAN.json ENDPOINT WRITE_KEY
import { readFileSync } from 'node:fs'
import { Analytics } from '@segment/analytics-node'

const [planFile, host, writeKey] = process.argv.slice(2)
const plan = JSON.parse(readFileSync(planFile, 'utf8'))
const analytics = new Analytics({ host, writeKey, flushAt: plan.flush_at || 15, flushInterval: 200 })

let sent = 0
const failed = []
analytics.on('error', (error) => failed.push(String(error.reason?.message ?? error.reason ?? error.code)))

for (const call of plan.calls) {
  const { type, ...params } = call
  if (params.timestamp) params.timestamp = new Date(params.timestamp)
  sent++
  analytics[type](params)
  if (plan.per_second) await new Promise((resolve) => setTimeout(resolve, 1000 / plan.per_second))
  // An application is never endless without I/O: let the queue drain.
  else if (sent % 500 === 0) await new Promise((resolve) => setImmediate(resolve))
}
await analytics.closeAndFlush({ timeout: 210000 })
console.log(JSON.stringify({ sent, failed }))
