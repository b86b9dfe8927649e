// Looks at pages as people do: light and dark, wide and narrow, with scripts and without, by keyboard.
// Usage: look.js CHROMIUM FOLDER URL... Prints each fault and ends with 1 where there is one.
"use strict";
const axe = require("axe-core");
const { chromium } = require("playwright-core");
const [executablePath, folder, ...urls] = process.argv.slice(2);

const MANNERS = [
  { name: "light", colorScheme: "light", viewport: { width: 1280, height: 900 }, javaScriptEnabled: true },
  { name: "dark", colorScheme: "dark", viewport: { width: 1280, height: 900 }, javaScriptEnabled: true },
  { name: "narrow", colorScheme: "light", viewport: { width: 390, height: 800 }, javaScriptEnabled: true },
  { name: "plain", colorScheme: "dark", viewport: { width: 1280, height: 900 }, javaScriptEnabled: false },
];
const GRAVE = ["serious", "critical"];
const faults = [];

// What a browser says of a page: errors, broken rules of its content policy, requests to anybody else.
function listen(page, where) {
  page.on("console", (said) => {
    if (said.type() === "error" || said.type() === "warning") faults.push(`${where}: console: ${said.text()}`);
  });
  page.on("pageerror", (error) => faults.push(`${where}: script: ${error}`));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol !== "data:" && url.host !== new URL(urls[0]).host) faults.push(`${where}: asks ${url.host}`);
  });
}

async function judge(page, where) {
  // Evaluated by the debugger, so that the page's own content policy stays in force.
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => window.axe.run(document));
  for (const found of violations) {
    const places = found.nodes.map((node) => node.target.join(" ")).slice(0, 3).join(", ");
    const line = `${where}: axe ${found.impact}: ${found.id}: ${found.help} (${places})`;
    if (GRAVE.includes(found.impact)) faults.push(line);
    else console.log(line);
  }
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (overflow > 0) faults.push(`${where}: ${overflow} pixels wider than the window`);
}

// The first Tab leads to the link that skips the navigation, and that one to the content.
async function byKeyboard(page, where) {
  await page.keyboard.press("Tab");
  const first = await page.evaluate(() => document.activeElement.className);
  if (first !== "skip") faults.push(`${where}: the first Tab leads to "${first}"`);
  await page.keyboard.press("Enter");
  // The browser tells of a new place within the page a moment after the key.
  const isThere = page.waitForURL((url) => url.hash === "#main", { timeout: 10_000 });
  await isThere.catch(() => faults.push(`${where}: the skip link leads to ${page.url()}`));
  for (let step = 0; step < 8; step += 1) {
    await page.keyboard.press("Tab");
    const shown = await page.evaluate(() => {
      const focused = document.activeElement;
      const style = getComputedStyle(focused);
      return focused === document.body || style.outlineStyle !== "none";
    });
    if (!shown) faults.push(`${where}: nobody sees where the focus is after ${step + 1} steps`);
  }
}

// The script brings what is new on the page without a reload.
async function refreshed(page, where) {
  await page.evaluate(() => { document.querySelector("main h1").textContent = "old"; });
  await page.clock.fastForward(11000);
  const fresh = page.waitForFunction(() => document.querySelector("main h1").textContent !== "old", null, { timeout: 10000 });
  await fresh.catch(() => faults.push(`${where}: the page does not refresh itself`));
}

async function look(browser, manner) {
  const context = await browser.newContext(manner);
  for (const [at, url] of urls.entries()) {
    const where = `${manner.name} ${new URL(url).pathname}`;
    const page = await context.newPage();
    if (manner.javaScriptEnabled) await page.clock.install();
    listen(page, where);
    const answer = await page.goto(url);
    if (!answer.ok()) faults.push(`${where}: ${answer.status()}`);
    if (!(await page.locator("main h1").innerText()).trim()) faults.push(`${where}: no heading`);
    await page.screenshot({ path: `${folder}/${manner.name}-${at}.png`, fullPage: true });
    if (manner.javaScriptEnabled) {
      await judge(page, where);
      if (at === 0) await refreshed(page, where);
      await page.goto(url);
      await byKeyboard(page, where);
    }
    await page.close();
  }
  await context.close();
}

(async () => {
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
  for (const manner of MANNERS) await look(browser, manner);
  await browser.close();
  faults.forEach((fault) => console.log(fault));
  console.log(`${urls.length} pages in ${MANNERS.length} manners: ${faults.length} faults`);
  process.exitCode = faults.length ? 1 : 0;
})();
