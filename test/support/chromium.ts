import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { describe } from "vitest";

const EXECUTABLE = "/usr/bin/chromium";
/** Where pictures of pages go, to be looked at; none are made without it. */
const PICTURES = process.env.PORTCULLIS_PICTURES;
const TIMEOUT_MS = 20_000;

export const SIZES = { phone: { width: 360, height: 740 }, desk: { width: 1440, height: 900 } };
const SCHEMES = ["light", "dark"] as const;

/** `describe`, where Chromium is installed; else one line says that it is not. */
export const describeInChromium: typeof describe.skip = isInstalled() ? describe : describe.skip;

function isInstalled(): boolean {
  if (existsSync(EXECUTABLE)) return true;
  console.warn(`Skipped: there is no ${EXECUTABLE}, so pages are not opened in a browser.`);
  return false;
}

export function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: EXECUTABLE,
    args: ["--no-sandbox", "--disable-background-networking", "--disable-component-update"],
  });
}

export async function newContext(
  browser: Browser,
  options: Parameters<Browser["newContext"]>[0] = {},
): Promise<BrowserContext> {
  const context = await browser.newContext({ viewport: SIZES.desk, ...options });
  context.setDefaultTimeout(TIMEOUT_MS);
  return context;
}

/** Its source is half a megabyte, and to read it takes a page as long as to be looked through. */
const AXE_IS_THERE = { axeSource: "/* axe is there */" };

/** What a colour scheme changes; all else is the same in both at one size. */
const OF_COLOUR = ["color-contrast", "link-in-text-block"];

/** What axe finds wrong with a page, one line each: rule, and where. */
async function axeFaults(page: Page, look: { isFirst: boolean; rules?: string[] }): Promise<string[]> {
  const builder = new AxeBuilder({ page, ...(look.isFirst ? {} : AXE_IS_THERE) })
    // There are no frames: everything can be run in the page itself.
    .setLegacyMode(true)
    .options({ resultTypes: ["violations"] });
  if (look.rules) builder.withRules(look.rules);
  const { violations } = await builder.analyze();
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html, target }) => `${id}: ${target} ${html}`));
}

const EVERY_LOOK = Object.entries(SIZES).flatMap(([size, viewport]) =>
  SCHEMES.map((colorScheme) => ({ size, viewport, colorScheme })),
);

/**
 * A page in every size and colour scheme, or a further state of it in two that have each once: what axe finds, and
 * where it is wider than its screen. Pictures are made where `PORTCULLIS_PICTURES` names a folder.
 */
export async function faultsOfPage(
  page: Page,
  name: string,
  looks: "every" | "two" = "two",
): Promise<string[]> {
  const faults: string[] = [];
  const sizesSeen = new Set<string>();
  for (const { size, viewport, colorScheme } of EVERY_LOOK) {
    if (looks === "two" && (size === "phone") !== (colorScheme === "dark")) continue;
    await page.setViewportSize(viewport);
    await page.emulateMedia({ colorScheme });
    const at = `${name} ${size} ${colorScheme}`;
    const rules = sizesSeen.has(size) ? { rules: OF_COLOUR } : {};
    const found = await axeFaults(page, { isFirst: sizesSeen.size === 0, ...rules });
    sizesSeen.add(size);
    faults.push(...found.map((fault) => `${at}: ${fault}`));
    const width = await page.locator("html").evaluate(({ scrollWidth }) => scrollWidth);
    if (width > viewport.width) faults.push(`${at}: ${width} px wide`);
    await takePicture(page, `${name}-${size}-${colorScheme}`);
  }
  await page.setViewportSize(SIZES.desk);
  await page.emulateMedia({ colorScheme: "light" });
  return faults;
}

async function takePicture(page: Page, name: string): Promise<void> {
  if (PICTURES === undefined) return;
  await mkdir(PICTURES, { recursive: true });
  await page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: true });
}

/** What a page complains of: its Content-Security-Policy, its scripts, and any request to somebody else. */
export function complaintsOf(page: Page, own: readonly string[]): string[] {
  const complaints: string[] = [];
  page.on("console", (message) => {
    // That a page is refused is for the page to say.
    if (message.type() === "error" && !/^Failed to load resource/.test(message.text()))
      complaints.push(message.text());
  });
  page.on("response", (response) => {
    const { status, type } = { status: response.status(), type: response.request().resourceType() };
    if (status >= 400 && type !== "document") complaints.push(`${status} for ${response.url()}`);
  });
  page.on("pageerror", (fault) => complaints.push(String(fault)));
  page.on("request", (request) => {
    if (!own.some((origin) => request.url().startsWith(origin))) complaints.push(`asked ${request.url()}`);
  });
  return complaints;
}

/** A passkey in the browser, whose owner is there and verified whenever it is asked. */
export async function addAuthenticator(page: Page): Promise<void> {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("WebAuthn.enable");
  const kind = { protocol: "ctap2", transport: "internal", automaticPresenceSimulation: true } as const;
  const options = { ...kind, hasResidentKey: true, hasUserVerification: true, isUserVerified: true };
  await devtools.send("WebAuthn.addVirtualAuthenticator", { options });
}
