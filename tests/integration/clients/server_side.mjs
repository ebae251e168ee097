// Clients for servers, unchanged: node server_side.mjs URL KEY -> the message ids of what they sent, as JSON.
import { Analytics } from '@segment/analytics-node'
import RudderAnalytics from '@rudderstack/rudder-sdk-node'

const [url, key] = process.argv.slice(2)
const sent = []

const segment = new Analytics({ writeKey: key, host: url, flushAt: 3, maxRetries: 10 })
segment.on('error', (error) => { console.error('segment', error); process.exitCode = 1 })
const taken = (error, context) => { error ? console.error(error) : sent.push(context.event.messageId) }
segment.identify({ userId: 'node-1', traits: { plan: 'gold' } }, taken)
segment.track({ userId: 'node-1', event: 'Order Completed', properties: { total: 9.5, name: 'Grüße' }, timestamp: new Date('2026-03-01T12:00:00Z') }, taken)
segment.page({ anonymousId: 'node-a', name: 'Home' }, taken)
segment.group({ userId: 'node-1', groupId: 'acme', traits: { size: 3 } }, taken)
segment.alias({ previousId: 'node-old', userId: 'node-1' }, taken)
await segment.closeAndFlush()

const rudder = new RudderAnalytics(key, { dataPlaneUrl: url, flushAt: 2, gzip: true, retryCount: 5 })
const calls = [
  (done) => rudder.identify({ userId: 'rudder-1', traits: { plan: 'silver' }, messageId: 'rudder-m1' }, done),
  (done) => rudder.track({ userId: 'rudder-1', event: 'Product Viewed', properties: { product_id: 'p1' }, messageId: 'rudder-m2' }, done),
  (done) => rudder.page({ anonymousId: 'rudder-a', name: 'Home', messageId: 'rudder-m3' }, done),
]
await Promise.all(calls.map((call, number) => new Promise((done) => call((error) => {
  if (error) console.error('rudder', error.message)
  sent.push(`rudder-m${number + 1}`)
  done()
}))))
await new Promise((done) => rudder.flush(done))
console.log(JSON.stringify(sent))
process.exit(process.exitCode ?? 0)
