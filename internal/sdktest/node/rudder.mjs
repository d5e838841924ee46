// send.mjs with @rudderstack/rudder-sdk-node.
import { readFileSync } from 'node:fs'
import RudderAnalytics from '@rudderstack/rudder-sdk-node'

const [planFile, host, writeKey] = process.argv.slice(2)
const plan = JSON.parse(readFileSync(planFile, 'utf8'))
const client = new RudderAnalytics(writeKey, { dataPlaneUrl: host, flushAt: plan.flush_at || 20, flushInterval: 200 })

const failed = []
let sent = 0
await Promise.all(plan.calls.map((call) => new Promise((resolve) => {
  const { type, ...params } = call
  if (params.timestamp) params.timestamp = new Date(params.timestamp)
  sent++
  client[type](params, (error) => {
    if (error) failed.push(String(error.message ?? error))
    resolve()
  })
})))
await client.flush()
console.log(JSON.stringify({ sent, failed }))
process.exit(0)
