import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { resolve } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { type Block, blocksOf } from "../support/page.ts";
import { Reader } from "../support/reader.ts";
import { RecordingOrigin } from "../support/recording-origin.ts";
import { SlackDouble } from "../support/slack-double.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const GUIDES = readdirSync(`${ROOT}/docs/guides`).map((name) => `docs/guides/${name}`);
const PAGES = ["README.md", ...GUIDES, "docs/operations.md"];
const PAGE_TIMEOUT_MS = 300_000;

const stopping: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of stopping.splice(0).reverse()) await stop();
});

async function reader(elsewhere: Record<string, string> = {}): Promise<Reader> {
  const started = await Reader.start(elsewhere);
  stopping.push(() => started.stop());
  return started;
}

/** Does what the page says, from its top to its end; `after` is what happens elsewhere meanwhile. */
async function follow(
  page: string,
  who: Reader,
  after: (block: Block) => Promise<void> = async () => {},
): Promise<string> {
  for (const block of blocksOf(page)) {
    const ran = await who.follow(block);
    if (ran === undefined) continue;
    const where = `${page}:${block.line} ended with ${ran.code}:\n${ran.printed}`;
    if (block.mark.endsWith(" fails")) expect(ran.code, where).not.toBe(0);
    else expect(ran.code, where).toBe(0);
    await after(block);
  }
  expect(who.printed).not.toMatch(/eyJ[\w-]{20}/);
  return who.printed;
}

describe("every block of the README, the guides and the operations page", () => {
  const blocks = PAGES.flatMap((page) => blocksOf(page).map((block) => ({ page, ...block })));

  it.each(blocks)("$page:$line ($language) parses", ({ language, mark, text }) => {
    if (language === "sh") {
      expect(mark).toMatch(/^(?:not-run|alice|bob|olivia|operator|)(?: fails)?$/);
      execFileSync("sh", ["-n", "-c", text]);
    } else if (language === "json") expect(JSON.parse(text)).toBeTypeOf("object");
    else if (language === "yaml") expect(parse(text)).toBeTypeOf("object");
    else expect(["", "mermaid"]).toContain(language);
  });
});

describe("what the pages say works, from the top to the end", { timeout: PAGE_TIMEOUT_MS }, () => {
  it("README.md", async () => {
    const printed = await follow("README.md", await reader());
    expect(printed).toContain("HTTP/1.1 401");
    expect(printed).toContain("demo origin");
    expect(printed).toMatch(/It would cut \d+ live tokens/);
    expect(printed).toContain("✓ policy");
  });

  it("docs/guides/guard-an-api.md", async () => {
    const who = await reader();
    const printed = await follow("docs/guides/guard-an-api.md", who, async ({ text }) => {
      if (!text.includes("explain")) return;
      expect((await fetch(`${who.stack.running.issuer}/invoices/7`)).status).toBe(401);
      expect((await fetch(`${who.stack.running.issuer}/invoices/7`, { method: "POST" })).status).toBe(405);
    });
    expect(printed).toContain("+ routes invoices-read");
    expect(printed).toContain("refused with 401");
    expect(printed).toContain("4 passed, 0 failed");
  });

  it("docs/guides/approvals-with-slack.md", async () => {
    const slack = await SlackDouble.start();
    stopping.push(() => slack.close());
    const path = "/services/T000/B000/XXXX";
    const who = await reader({ [`https://hooks.slack.com${path}`]: slack.url(path) });
    const printed = await follow("docs/guides/approvals-with-slack.md", who, async ({ text }) => {
      if (!text.includes("portcullis request ")) return;
      const button = () =>
        slack.posts
          .flatMap(({ body }) => body.blocks ?? [])
          .flatMap(({ elements }) => elements ?? [])
          .find(({ action_id }) => action_id === "review_approve");
      await expect.poll(button, { timeout: 30_000 }).toBeDefined();
      const { action_id, value } = button()!;
      const click = await slack.click(who.stack.running, { user: "U024BE7LH", action: action_id, value });
      expect(click.status).toBe(200);
    });
    expect(printed).toContain("approved");
    expect(printed).toContain("demo origin");
  });

  it("docs/guides/break-glass.md", async () => {
    const receiver = await RecordingOrigin.start();
    stopping.push(() => receiver.close());
    const bodies: string[] = [];
    receiver.answerWith(({ message }, response) => {
      message.on("data", (part) => bodies.push(String(part))).on("end", () => response.writeHead(204).end());
    });
    const who = await reader({ "https://hooks.example.com": receiver.url });
    const printed = await follow("docs/guides/break-glass.md", who);
    expect(printed).toContain("demo origin");
    const told = () => bodies.join("\n");
    for (const type of ["webhook.test", "break_glass.opened", "break_glass.reviewed"]) {
      await expect.poll(told, { timeout: 30_000 }).toContain(type);
    }
  });

  it("docs/guides/incident-key-leaked.md", async () => {
    const who = await reader();
    const jwks = async () =>
      JSON.stringify(await (await fetch(`${who.stack.running.issuer}/.well-known/jwks.json`)).json());
    const before = await jwks();
    await follow("docs/guides/incident-key-leaked.md", who);
    expect(await jwks()).not.toBe(before);
  });

  it("docs/guides/incident-user-off-boarded.md", async () => {
    const printed = await follow("docs/guides/incident-user-off-boarded.md", await reader());
    expect(printed).toMatch(/It would cut \d+ live tokens/);
    expect(printed).toContain("lifted");
  });

  it("docs/operations.md", async () => {
    const who = await reader();
    const printed = await follow("docs/operations.md", who);
    expect(printed).toMatch(/Whole and unchanged\.\n[\s\S]*\d+ objects/);
    expect(printed).toContain("by this PORTCULLIS_SECRET");
    const year = new Date().toISOString().slice(0, 4);
    expect(await who.files(new RegExp(`^portcullis-${year}.*\\.ndjson\\.gz$`))).toHaveLength(1);
  });

  it("are all of them", () => expect(GUIDES).toHaveLength(5));
});
