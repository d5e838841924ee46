// send.mjs with OpenTelemetry's log SDK: every call is the evaluation of a flag, in OTLP's JSON and protobuf in turn.
import { readFileSync } from 'node:fs'
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs'
import { OTLPLogExporter as JSONExporter } from '@opentelemetry/exporter-logs-otlp-http'
import { OTLPLogExporter as ProtobufExporter } from '@opentelemetry/exporter-logs-otlp-proto'

const [planFile, host, writeKey] = process.argv.slice(2)
const plan = JSON.parse(readFileSync(planFile, 'utf8'))
const failed = []
const providers = [JSONExporter, ProtobufExporter].map((Exporter) => {
  const exporter = new Exporter({ url: host + '/v1/logs', headers: { Authorization: 'Bearer ' + writeKey } })
  const send = exporter.export.bind(exporter)
  exporter.export = (logs, done) => send(logs, (result) => {
    if (result.error) failed.push(String(result.error.message ?? result.error))
    done(result)
  })
  return new LoggerProvider({ processors: [new BatchLogRecordProcessor({ exporter })] })
})
for (const [i, call] of plan.calls.entries()) {
  const attributes = { 'feature_flag.key': call.properties.flag, 'feature_flag.result.variant': call.properties.variant }
  if (call.userId) attributes['feature_flag.context.id'] = call.userId
  if (call.context) attributes['account.id'] = call.context.groupId
  providers[i % 2].getLogger('flags').emit({ eventName: call.event, timestamp: new Date(call.timestamp), attributes })
}
for (const provider of providers) await provider.shutdown()
console.log(JSON.stringify({ sent: plan.calls.length, failed }))
