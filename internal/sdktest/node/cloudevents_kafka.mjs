// Prints what cloudevents makes of a plan's calls for a Kafka producer, binary and structured in turn: {headers, key, value}, texts as base64.
import { readFileSync } from 'node:fs'
import { CloudEvent, Kafka } from 'cloudevents'

const plan = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const base64 = (v) => (v == null ? null : Buffer.from(typeof v === 'string' || Buffer.isBuffer(v) ? v : JSON.stringify(v)).toString('base64'))
const messages = plan.calls.map((call, i) => {
  const event = new CloudEvent({
    type: call.event, source: '/sdktest', id: call.messageId, subject: call.context?.groupId, time: call.timestamp, partitionkey: call.context?.groupId,
    datacontenttype: 'application/json', data: call.userId ? { ...call.properties, user_id: call.userId } : call.properties,
  })
  const { headers, key, value } = i % 2 ? Kafka.structured(event) : Kafka.binary(event)
  return { headers: Object.fromEntries(Object.entries(headers).map(([name, v]) => [name, base64(String(v))])), key: base64(key), value: base64(value) }
})
console.log(JSON.stringify(messages))
