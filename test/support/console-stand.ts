import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { DEMO_SCOPES } from "../../src/local/demo-policy.ts";
import { BROWSER_CLIENT_ID, startIdentityProvider } from "../../src/local/identity-provider.ts";
import { PEOPLE, type Person } from "../../src/local/people.ts";
import { launchChromium, newContext } from "./chromium.ts";
import { freeIssuer } from "./runtime.ts";
import { type Stand, standUp } from "./stand.ts";
import type { testPolicy } from "./test-policy.ts";

type TestPolicy = ReturnType<typeof testPolicy>;

/** A gate with its console, an identity provider with the demo's people, and Chromium. */
export type ConsoleStand = Stand & {
  issuer: string;
  browser: Browser;
  /** Every origin that a page of the console may ask. */
  own: string[];
  /** A page of a browser in which the person is signed in. */
  signedIn(person: Person, options?: Parameters<Browser["newContext"]>[0]): Promise<Page>;
};

/** `change` makes the policy from one in which the demo's people sign in. */
export async function standUpConsole(
  change: (policy: TestPolicy) => object = (policy) => policy,
): Promise<ConsoleStand> {
  await using started = new AsyncDisposableStack();
  const stateDir = await mkdtemp(join(tmpdir(), "portcullis-console-"));
  started.defer(() => rm(stateDir, { recursive: true }));
  // Passkeys need a host's name.
  const issuer = (await freeIssuer()).replace("127.0.0.1", "localhost");
  const idp = await startIdentityProvider({
    port: 0,
    keyFile: join(stateDir, "idp.jwk.json"),
    gate: { issuer },
  });
  started.defer(() => idp.close());
  const sign_in = { client_id: BROWSER_CLIENT_ID, session_scopes: DEMO_SCOPES };
  const policy = (base: TestPolicy) =>
    change({
      ...base,
      issuers: base.issuers.map((each) => ({ ...each, sign_in })),
      sessions: {},
    } as TestPolicy);
  const stand = await standUp(policy, idp.url, undefined, issuer);
  started.defer(() => stand.stop());
  const browser = await launchChromium();
  started.defer(() => browser.close());
  const stopping = started.move();
  return {
    ...stand,
    issuer,
    browser,
    own: [issuer, idp.url],
    signedIn: async (person, options) => signIn(await newContext(browser, options), issuer, person),
    stop: () => stopping.disposeAsync(),
  };
}

/** Opens the console and signs in, as a person does. */
async function signIn(context: BrowserContext, issuer: string, person: Person): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${issuer}/console`);
  await page.getByRole("button", { name: PEOPLE[person].name }).click();
  await page.waitForURL((url) => url.origin === issuer && url.pathname.startsWith("/console"));
  return page;
}
