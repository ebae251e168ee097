// Clients for browsers, unchanged, in Chromium: node browser.mjs CHROMIUM PAGE_URL -> what the page says, as JSON.
// The page's own script says what is done; this one opens it, takes the network away, and closes it.
import puppeteer from 'puppeteer-core'

const [chromium, url, ...steps] = process.argv.slice(2)
const browser = await puppeteer.launch({
  executablePath: chromium,
  headless: true,
  args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking'],
})
const said = []
let taken = 0 // POSTs that were answered with 200
async function open () {
  const page = await browser.newPage()
  page.on('console', (message) => said.push(`${message.type()}: ${message.text()}`))
  page.on('response', (response) => { if (response.request().method() === 'POST' && response.status() === 200) taken++ })
  page.on('pageerror', (error) => said.push(`error: ${error.message}`))
  await page.goto(url, { waitUntil: 'load' })
  return page
}
async function until (what, condition) {
  for (const end = Date.now() + 60000; Date.now() < end;) {
    if (await condition()) return
    await new Promise((done) => setTimeout(done, 50))
  }
  throw new Error(`it never came: ${what}`)
}
async function safe (api) { // events that the API has made safe
  const counters = await (await fetch(`${api}/metrics`)).text()
  return Number(/^tidemark_api_events_total (\d+)/m.exec(counters)[1])
}
try {
  let page = await open()
  for (const step of steps) {
    if (step === 'offline' || step === 'online') await page.setOfflineMode(step === 'offline')
    else if (step === 'leave') await page.goto('about:blank')
    else if (step === 'close') {
      const closed = new Promise((done) => page.once('close', done))
      await page.close({ runBeforeUnload: true })
      await closed
    }
    else if (step === 'open') page = await open()
    else if (step.startsWith('shot:')) await page.screenshot({ path: step.slice(5), fullPage: true })
    else if (step.startsWith('taken:')) await until(step, () => taken >= Number(step.slice(6)))
    else if (step.startsWith('safe:')) {
      const [, count, api] = /^safe:(\d+):(.*)$/.exec(step)
      await until(step, async () => await safe(api) >= Number(count))
    }
    else if (step.startsWith('wait:')) await page.waitForFunction(step.slice(5), { timeout: 60000, polling: 100 })
    else await page.evaluate(step)
  }
  const pages = await browser.pages()
  const sent = page.isClosed() || page.url() === 'about:blank' ? null : await page.evaluate('window.sent ?? null')
  console.log(JSON.stringify({ sent, said, pages: pages.length }))
} catch (error) {
  console.log(JSON.stringify({ failed: String(error), said }))
  process.exitCode = 1
} finally {
  await browser.close()
}
