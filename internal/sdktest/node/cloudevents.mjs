// send.mjs with cloudevents, binary and structured in turn.
import { readFileSync } from 'node:fs'
import { CloudEvent, Mode, emitterFor } from 'cloudevents'

const [planFile, host, writeKey] = process.argv.slice(2)
const plan = JSON.parse(readFileSync(planFile, 'utf8'))
const failed = []

async function transport(message) {
  const response = await fetch(host + '/v1/cloudevents', {
    method: 'POST', body: message.body, headers: { ...message.headers, authorization: 'Bearer ' + writeKey },
  })
  if (!response.ok) failed.push(`${response.status} ${await response.text()}`)
}

const modes = [Mode.BINARY, Mode.STRUCTURED].map((mode) => emitterFor(transport, { mode }))
for (const [i, call] of plan.calls.entries()) {
  await modes[i % modes.length](new CloudEvent({
    type: call.event, source: '/sdktest', id: call.messageId, subject: call.context?.groupId, time: call.timestamp,
    data: call.userId ? { ...call.properties, user_id: call.userId } : call.properties,
  }))
}
console.log(JSON.stringify({ sent: plan.calls.length, failed }))
