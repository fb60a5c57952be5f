import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { complaintsOf, describeInChromium, faultsOfPage, SIZES } from "../support/chromium.ts";
import { type ConsoleStand, standUpConsole } from "../support/console-stand.ts";
import { askOften, type Filled, fillConsole, fullPolicy } from "../support/full-console.ts";
import { Receiver } from "../support/receiver.ts";

const FILLING_MS = 300_000;
const LOOKING_MS = 120_000;

/** Over the wire, with nothing in the browser's cache. */
const MAX_PAGE_BYTES = 60 * 1024;
const MAX_SCRIPT_BYTES = 15 * 1024;
/** Of the quickest visit: what else the machine does is none of the page's. The median is told. */
const MAX_PAINT_MS = 200;
const VISITS = 7;
/** A machine that is busy for seconds is waited for. */
const MOST_VISITS = 40;

/** The narrowest that WCAG 2.2 (1.4.10) asks for, and both sides of where the layout changes. */
const BETWEEN = [320, 768, 770, 1024, 1151, 1152, 1280, 1439];

let stand: ConsoleStand;
let receiver: Receiver;
let ids: Filled;
const pages = new Map<string, Page>();

/** Every page of docs/console.md: its name, who opens it, where it is. */
const PLACES: [string, "alice" | "bob" | "olivia", string | ((ids: Filled) => string)][] = [
  ["ask", "alice", "/ask"],
  ["ask-form", "alice", "/ask/new?rule=regional"],
  ["inbox", "bob", "/inbox"],
  ["request", "bob", ({ request }) => `/access-requests/${request}`],
  ["passkeys", "bob", "/passkeys"],
  ["grants", "olivia", "/grants"],
  ["grant", "olivia", ({ grant }) => `/grants/${grant}`],
  ["grant-revoke", "olivia", ({ grant }) => `/grants/${grant}/revoke`],
  ["revocations", "olivia", "/revocations"],
  ["revocation-new", "olivia", "/revocations/new"],
  ["revocation", "olivia", ({ revocation }) => `/revocations/${revocation}`],
  ["propagation", "olivia", "/revocations/propagation"],
  ["keys", "olivia", "/keys"],
  ["policy", "olivia", "/policy"],
  ["policy-edit", "olivia", "/policy/edit"],
  ["policy-back", "olivia", "/policy/versions/1/activate"],
  ["clients", "olivia", "/clients"],
  ["client", "olivia", ({ client }) => `/clients/${client}`],
  ["client-new", "olivia", "/clients/new"],
  ["webhooks", "olivia", "/webhooks"],
  ["webhook", "olivia", ({ endpoint }) => `/webhooks/${endpoint}`],
  ["webhook-new", "olivia", "/webhooks/new"],
  ["traffic", "olivia", "/traffic"],
  ["why", "olivia", "/why"],
  ["why-decision", "olivia", ({ decision }) => `/why/${decision}`],
  ["detections", "olivia", "/detections"],
  ["detection", "olivia", ({ detection }) => `/detections/${detection}`],
  ["firings", "olivia", "/detections/firings"],
  ["audit", "olivia", "/audit"],
  ["audit-record", "olivia", "/audit/0"],
  ["not-found", "olivia", "/grants/grt_no_such_grant"],
];

describeInChromium("a console with hundreds of everything", { timeout: LOOKING_MS }, () => {
  beforeAll(async () => {
    receiver = await Receiver.start();
    stand = await standUpConsole(fullPolicy);
    ids = await fillConsole(stand, receiver);
    for (const person of ["alice", "bob", "olivia"] as const) pages.set(person, await stand.signedIn(person));
    await askOften(pages.get("alice")!, 30);
  }, FILLING_MS);
  afterAll(async () => {
    await stand?.stop();
    await receiver?.close();
  });

  it("is looked at wherever the navigation leads", async () => {
    const paths = PLACES.map(([, , where]) => (typeof where === "string" ? `/console${where}` : ""));
    for (const page of pages.values()) {
      const links = page.getByRole("navigation", { name: "Console" }).getByRole("listitem").getByRole("link");
      const places = await links.evaluateAll((found) => found.map((each) => each.getAttribute("href")));
      expect(places.length).toBeGreaterThan(0);
      expect(places.filter((place) => !paths.includes(place ?? ""))).toEqual([]);
    }
  });

  it.each(PLACES)("%s: light, quick to be seen, sound at every size", async (name, person, where) => {
    const page = pages.get(person)!;
    const address = `${stand.issuer}/console${typeof where === "string" ? where : where(ids)}`;
    const complaints = complaintsOf(page, stand.own);
    const answer = await page.goto(address);
    expect(answer?.status()).toBe(name === "not-found" ? 404 : 200);
    const outline = [
      page.locator("h1"),
      page.getByRole("main"),
      page.getByRole("navigation", { name: "Console" }),
    ];
    for (const part of outline) expect(await part.count()).toBe(1);
    expect(await page.title()).toBe(`${await page.locator("h1").innerText()} – Portcullis`);
    const { bytes, scriptBytes } = await weigh(page, address);
    const [quickest, median] = await visits(page, address);
    const times = [median.answerMs, median.paintMs, quickest.paintMs];
    console.log(["", name, kib(bytes), kib(scriptBytes), ...times, ""].join(" | "));
    expect(bytes).toBeLessThan(MAX_PAGE_BYTES);
    expect(scriptBytes).toBeGreaterThan(1_000);
    expect(scriptBytes).toBeLessThan(MAX_SCRIPT_BYTES);
    expect(await faultsOfPage(page, `full-${name}`, "every")).toEqual([]);
    expect(await widerThan(page)).toEqual([]);
    expect(complaints).toEqual([]);
    expect(quickest.paintMs).toBeLessThan(MAX_PAINT_MS);
  });
});

/** Of the widths between a phone and a desk, those that the page does not fit. */
async function widerThan(page: Page): Promise<number[]> {
  const wider: number[] = [];
  for (const width of BETWEEN) {
    await page.setViewportSize({ width, height: SIZES.desk.height });
    if ((await page.locator("html").evaluate(({ scrollWidth }) => scrollWidth)) > width) wider.push(width);
  }
  await page.setViewportSize(SIZES.desk);
  return wider;
}

const kib = (bytes: number) => (bytes / 1024).toFixed(1);

/** What a first visit transfers: the page with all that it loads, as it goes over the wire. */
async function weigh(page: Page, address: string): Promise<{ bytes: number; scriptBytes: number }> {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Network.enable");
  await devtools.send("Network.setCacheDisabled", { cacheDisabled: true });
  const kinds = new Map<string, string>();
  const sizes = new Map<string, number>();
  devtools.on("Network.responseReceived", ({ requestId, type }) => kinds.set(requestId, type));
  devtools.on("Network.loadingFinished", ({ requestId, encodedDataLength }) =>
    sizes.set(requestId, encodedDataLength),
  );
  await page.goto(address, { waitUntil: "networkidle" });
  await devtools.detach();
  const sum = (wanted: (kind: string | undefined) => boolean) =>
    [...sizes].reduce((total, [id, size]) => total + (wanted(kinds.get(id)) ? size : 0), 0);
  return { bytes: sum(() => true), scriptBytes: sum((kind) => kind === "Script") };
}

type Visit = { answerMs: number; paintMs: number };

/** When the answer came and when something of it was seen first, from the start of the navigation. */
async function visit(page: Page, address: string): Promise<Visit> {
  await page.goto(address, { waitUntil: "load" });
  const found = await page.evaluate<Visit>(`new Promise((resolve) => {
    const look = () => {
      const paint = performance.getEntriesByName("first-contentful-paint")[0];
      if (!paint) return requestAnimationFrame(look);
      const { responseStart } = performance.getEntriesByType("navigation")[0];
      resolve({ answerMs: Math.round(responseStart), paintMs: Math.round(paint.startTime) });
    };
    look();
  })`);
  return found;
}

/** By when something is seen: the quickest and the median visit first. */
async function visits(page: Page, address: string): Promise<[quickest: Visit, median: Visit]> {
  const all: Visit[] = [];
  const seenInTime = () => all.some(({ paintMs }) => paintMs < MAX_PAINT_MS);
  while (all.length < VISITS || (all.length < MOST_VISITS && !seenInTime())) {
    all.push(await visit(page, address));
  }
  all.sort((a, b) => a.paintMs - b.paintMs);
  return [all[0]!, all[all.length >> 1]!];
}
