// send.mjs with posthog-node.
import { readFileSync } from 'node:fs'
import { PostHog } from 'posthog-node'

const [planFile, host, writeKey] = process.argv.slice(2)
const plan = JSON.parse(readFileSync(planFile, 'utf8'))
const client = new PostHog(writeKey, { host, flushAt: plan.flush_at || 20, flushInterval: 200 })
const failed = []
client.on('error', (error) => failed.push(String(error.message ?? error)))

for (const call of plan.calls) {
  switch (call.type) {
    case 'group':
      client.groupIdentify({ groupType: 'company', groupKey: call.groupId, properties: call.traits, distinctId: call.userId })
      break
    case 'alias':
      client.alias({ distinctId: call.userId, alias: call.previousId })
      break
    default:
      client.capture({
        distinctId: call.userId,
        event: call.event,
        properties: call.properties,
        groups: call.context ? { company: call.context.groupId } : undefined,
        timestamp: call.timestamp ? new Date(call.timestamp) : undefined,
        uuid: call.messageId,
      })
  }
}
await client.shutdown()
console.log(JSON.stringify({ sent: plan.calls.length, failed }))
