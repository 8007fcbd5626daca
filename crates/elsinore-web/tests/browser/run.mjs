// Drives Chromium over the page. Arguments: address of the page, folder with node_modules, folder for
// screenshots, Chromium. Exits with 1 and says why when something is not as it must be.
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { createRequire } from "node:module";

const [base, modules, screenshots, chromium] = process.argv.slice(2);
const require = createRequire(path.resolve(modules, "x.js"));
const puppeteer = require("puppeteer-core");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const WIDE = { width: 1180, height: 900 };
const PHONE = { width: 360, height: 740, isMobile: true, hasTouch: true };
const STATES = [
  ["protected", "Protected", "good"],
  ["broken", "Partly protected", "weak"],
  ["open", "Not protected", "plain"],
  ["refused", "Mail will be refused", "bad"],
  ["unknown", "Could not tell", "unknown"],
];

const profile = fs.mkdtempSync(path.join(os.tmpdir(), "elsinore-browser-"));
const browser = await puppeteer.launch({
  executablePath: chromium,
  userDataDir: profile,
  args: [
    // Root in a container has no other way; nothing but our own page is opened.
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
  ],
});
// A browser that has stopped answering is ended, and told from a page that is wrong.
setTimeout(() => {
  browser.process()?.kill("SIGKILL");
  process.exit(75);
}, 240_000).unref();

let checks = 0;
function ok(name) {
  checks += 1;
  console.log(`ok ${checks} ${name}`);
}

// A tab in which every complaint of the browser, those about the content policy included, fails.
async function tab({ viewport = WIDE, script = true, scheme = "light" } = {}) {
  const page = await browser.newPage();
  page.complaints = [];
  page.on("console", (message) => {
    if (["error", "warn"].includes(message.type())) page.complaints.push(message.text());
  });
  page.on("pageerror", (error) => page.complaints.push(String(error)));
  page.on("requestfailed", (request) => page.complaints.push(`failed: ${request.url()}`));
  page.on("dialog", async (dialog) => {
    page.complaints.push(`dialog: ${dialog.message()}`);
    await dialog.dismiss();
  });
  await page.setViewport(viewport);
  await page.setJavaScriptEnabled(script);
  await page.emulateMediaFeatures([
    { name: "prefers-color-scheme", value: scheme },
    { name: "prefers-reduced-motion", value: "reduce" },
  ]);
  return page;
}

async function done(page) {
  assert.deepEqual(page.complaints, []);
  await page.close();
}

// Types a domain into the field of the first page and presses Enter.
async function check(page, domain) {
  await page.goto(`${base}/`, { waitUntil: "load" });
  await page.type("#domain", domain);
  await Promise.all([page.waitForNavigation({ waitUntil: "load" }), page.keyboard.press("Enter")]);
  await page.waitForSelector("#report");
}

async function shot(page, name, fullPage = true) {
  await page.screenshot({ path: path.join(screenshots, `${name}.png`), fullPage });
}

async function accessible(page, name) {
  await page.evaluate(axe);
  const found = await page.evaluate(async () => {
    const result = await globalThis.axe.run(document, { resultTypes: ["violations"] });
    return result.violations.map((one) => `${one.id}: ${one.help}: ${one.nodes.slice(0, 3).map((node) => node.html).join(" | ")}`);
  });
  assert.deepEqual(found, [], `axe on ${name}`);
}

async function width(page) {
  return page.evaluate(() => document.documentElement.scrollWidth);
}

async function everythingOpen(page) {
  await page.evaluate(() => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });
}

async function textOf(page, selector) {
  return page.$eval(selector, (element) => element.innerText.trim());
}

try {
  for (const [name, words, look] of STATES) {
    const domain = `${name}.example`;

    let page = await tab();
    await check(page, domain);
    assert.match(new URL(page.url()).pathname, /^\/r\/[0-9a-z]{16}$/, "the address line has the report's address");
    assert.equal(await textOf(page, "h1"), domain);
    assert.equal((await textOf(page, ".state")).toLowerCase(), words.toLowerCase());
    assert.ok(await page.$(`.verdict.look-${look} .state svg`), "a shape beside the word");
    assert.equal(await page.$eval(".checking", (element) => getComputedStyle(element).display), "none");
    await accessible(page, `${name}, light`);
    await shot(page, `${name}-light`);
    await everythingOpen(page);
    await accessible(page, `${name}, everything open`);
    await shot(page, `${name}-open`);
    const address = page.url();
    await done(page);
    ok(`${name}: checked, at its address, accessible`);

    page = await tab({ scheme: "dark" });
    await page.goto(address, { waitUntil: "load" });
    await accessible(page, `${name}, dark`);
    await shot(page, `${name}-dark`);
    await done(page);
    ok(`${name}: dark`);

    page = await tab({ viewport: PHONE });
    await page.goto(address, { waitUntil: "load" });
    assert.ok((await width(page)) <= PHONE.width, `no sideways scrolling: ${await width(page)}`);
    assert.equal(await page.$eval(".rail-figure", (element) => getComputedStyle(element).display), "none");
    assert.notEqual(await page.$eval(".rail-list", (element) => getComputedStyle(element).display), "none");
    await accessible(page, `${name}, phone`);
    await shot(page, `${name}-phone`);
    await everythingOpen(page);
    assert.ok((await width(page)) <= PHONE.width, `no sideways scrolling with everything open: ${await width(page)}`);
    await done(page);
    ok(`${name}: on a phone`);

    page = await tab({ script: false });
    await check(page, `${name}.noscript.example`);
    assert.equal(new URL(page.url()).pathname, "/check");
    assert.equal((await textOf(page, ".state")).toLowerCase(), words.toLowerCase());
    assert.equal(await page.$(".copy"), null, "no button that could do nothing");
    await shot(page, `${name}-noscript`);
    await done(page);
    ok(`${name}: without JavaScript`);

    page = await tab();
    await page.goto(address, { waitUntil: "load" });
    const pdf = await page.pdf({ format: "A4", preferCSSPageSize: false });
    fs.writeFileSync(path.join(screenshots, `${name}.pdf`), pdf);
    const pages = Buffer.from(pdf).toString("latin1").match(/\/Type\s*\/Page\b(?!s)/g) ?? [];
    assert.equal(pages.length, 1, `${name} on paper takes ${pages.length} pages`);
    await done(page);
    ok(`${name}: on one sheet of paper`);
  }

  // The keyboard alone: the skip link first, then the field; evidence opens with Enter.
  let page = await tab();
  await page.goto(`${base}/`, { waitUntil: "load" });
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
  assert.ok(await page.evaluate(() => document.activeElement.getBoundingClientRect().top >= 0), "the skip link shows");
  await accessible(page, "start");
  await shot(page, "start-light");
  await check(page, "broken.example");
  await page.focus(".node > summary");
  await page.keyboard.press("Enter");
  assert.equal(await page.$eval(".node", (node) => node.open), true);
  await done(page);
  ok("with the keyboard");

  // A button that copies what is to be pasted, the whole and nothing else.
  page = await tab();
  await browser.defaultBrowserContext().overridePermissions(base, ["clipboard-read", "clipboard-write", "clipboard-sanitized-write"]);
  await check(page, "broken.example");
  await page.bringToFront();
  const wanted = await page.$eval(".finding pre.paste", (block) => block.textContent.trimEnd());
  await page.click(".finding .copy");
  await page.waitForFunction(() => document.querySelector(".finding .copy").textContent === "Copied");
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), wanted);
  await done(page);
  ok("copying");

  // Every node of the rail leads to evidence that is there, and opens it.
  page = await tab({ script: false });
  await page.goto(`${base}/d/broken.example`, { waitUntil: "load" });
  const lost = await page.$$eval(".rail-figure a, .rail-list a", (links) => links.map((link) => link.getAttribute("href").slice(1)).filter((id) => !document.getElementById(id)));
  assert.deepEqual(lost, []);
  assert.ok((await page.$$(".rail-figure a")).length > 10);
  await page.click(".rail-figure a");
  // Without JavaScript nothing in the page can tell when that is done.
  for (let tries = 0; tries < 100 && !(await page.$eval("#zone-0", (inside) => inside.closest("details").open)); tries += 1);
  assert.equal(await page.$eval("#zone-0", (inside) => inside.closest("details").open), true);
  assert.equal(new URL(page.url()).hash, "#zone-0");
  await done(page);
  ok("nodes of the rail open their evidence");

  // Two reports beside each other, here one beside itself.
  page = await tab();
  await page.goto(`${base}/d/broken.example`, { waitUntil: "load" });
  await page.goto(`${page.url()}?with=${new URL(page.url()).pathname.slice(3)}`, { waitUntil: "load" });
  assert.equal(await textOf(page, "h1"), "What changed at broken.example");
  await accessible(page, "comparison");
  await done(page);
  ok("comparison");

  // A link to a piece of evidence opens it.
  page = await tab({ script: false });
  await page.goto(`${base}/d/broken.example`, { waitUntil: "load" });
  await page.goto(`${page.url()}#address-0-0`, { waitUntil: "load" });
  assert.equal(await page.$eval("#address-0-0", (inside) => inside.closest("details").open), true);
  await done(page);
  ok("links into the evidence open it without JavaScript");

  // Nothing that strangers publish is executed, and nothing of it is loaded.
  page = await tab();
  await check(page, "hostile.example");
  await everythingOpen(page);
  assert.equal(await page.$$eval("main script, main img:not([src^='/badge/'])", (all) => all.length), 0);
  await shot(page, "hostile-light");
  await page.goto(`${base}/check?domain=${encodeURIComponent("\"><script>alert(1)</script>")}`, { waitUntil: "load" });
  assert.equal(await page.$$eval("main script", (all) => all.length), 0);
  await shot(page, "refused-input");
  // That answer is 400, of which Chromium complains on its own.
  page.complaints = page.complaints.filter((text) => !text.includes("status of 400"));
  await done(page);
  ok("strangers' markup is text");

  for (const [name, options] of [["start-dark", { scheme: "dark" }], ["start-phone", { viewport: PHONE }]]) {
    page = await tab(options);
    await page.goto(`${base}/`, { waitUntil: "load" });
    await accessible(page, name);
    await shot(page, name);
    await done(page);
  }
  ok("the first page");
  console.log(`${checks} passed`);
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await browser.close();
  fs.rmSync(profile, { recursive: true, force: true });
}
