import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { parse as parseToml } from "smol-toml";
import { describe, expect, it } from "vitest";
import { parse as parseYaml } from "yaml";
import { problemCodes, problemStatus } from "../../../src/protocol/problem.ts";
import { DEAD_REASONS } from "../../../src/webhooks/delivery.ts";
import { EVENT_TYPES, TEST_EVENT_TYPE } from "../../../src/webhooks/event.ts";
import { CliUser } from "../../support/cli-user.ts";
import { blocksOf } from "../../support/page.ts";

const root = resolve(import.meta.dirname, "../../..");
const read = (path: string) => readFileSync(join(root, path), "utf8");

const pages = [
  ...readdirSync(root).filter((name) => name.endsWith(".md")),
  ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join("docs", name)),
];

/** The page without its blocks of code. */
const prose = (path: string) => read(path).replace(/^ *```[\s\S]*?^ *```$/gm, "");

/** The anchors that GitHub makes of a page's headings. */
function anchorsOf(path: string): Set<string> {
  const headings = prose(path).matchAll(/^#+ (.+)$/gm);
  return new Set(
    Array.from(headings, ([, text]) =>
      text!
        .toLowerCase()
        .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
        .replace(/[^\p{L}\p{N}_ -]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

type Link = { from: string; to: string; anchor?: string };

function linksOf(from: string): Link[] {
  return Array.from(prose(from).matchAll(/\]\(([^)\s]+)\)/g), ([, target]) => target!)
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => {
      const [path, anchor] = target.split("#") as [string, string?];
      const to = path === "" ? from : relative(root, resolve(root, dirname(from), path));
      return anchor === undefined ? { from, to } : { from, to, anchor };
    });
}

const links = pages.flatMap(linksOf);

describe("the documents", () => {
  it("link to what exists", () => {
    expect(links.length).toBeGreaterThan(150);
    expect(links.filter(({ to }) => !existsSync(join(root, to)))).toEqual([]);
  });

  it("link to headings that exist", () => {
    const anchored = links.filter(({ anchor, to }) => anchor !== undefined && to.endsWith(".md"));
    expect(anchored.length).toBeGreaterThan(20);
    expect(anchored.filter(({ to, anchor }) => !anchorsOf(to).has(anchor!))).toEqual([]);
  });

  it("are all in the index, but for the decisions", () => {
    const listed = new Set(linksOf("docs/README.md").map(({ to }) => to));
    const unlisted = pages.filter(
      (page) => !listed.has(page) && page !== "docs/README.md" && !page.startsWith("docs/decisions/"),
    );
    expect(unlisted).toEqual([]);
  });
});

describe("docs/errors.md", () => {
  it("has a heading for every code, in their order, and its status", () => {
    const entries = read("docs/errors.md").matchAll(/^## (\w+)\n\n(\d+)\. /gm);
    expect(Array.from(entries, ([, code, status]) => [code, Number(status)])).toEqual(
      problemCodes.map((code) => [code, problemStatus(code)]),
    );
  });
});

describe("docs/events.md", () => {
  it("has a row for every type, and for no other", () => {
    const rows = Array.from(
      read("docs/events.md").matchAll(/^\| `([a-z_]+\.[a-z_]+)` \|/gm),
      ([, type]) => type,
    );
    expect(rows.toSorted()).toEqual([...EVENT_TYPES, TEST_EVENT_TYPE].toSorted());
  });
});

describe("docs/webhooks.md", () => {
  it("names why a delivery is given up, and no other reason", () => {
    const [told] = /`dead_reason` is ([\s\S]+?)\.\n/.exec(read("docs/webhooks.md"))!;
    const named = Array.from(told.matchAll(/`([a-z]+_[a-z]+)`/g), ([, reason]) => reason);
    expect(named.filter((reason) => reason !== "dead_reason").toSorted()).toEqual(
      [...DEAD_REASONS].toSorted(),
    );
  });
});

describe("the Deploy button", () => {
  it("has a description for each secret and variable that it asks for", () => {
    const { cloudflare } = JSON.parse(read("package.json")) as {
      cloudflare: { bindings: Record<string, { description: string }> };
    };
    const wrangler = parseToml(read("wrangler.toml")) as {
      vars: object;
      secrets: { required: string[] };
      kv_namespaces: { binding: string }[];
    };
    const asked = [
      ...Object.keys(wrangler.vars),
      ...wrangler.secrets.required,
      ...wrangler.kv_namespaces.map(({ binding }) => binding),
    ];
    expect(Object.keys(cloudflare.bindings).toSorted()).toEqual(asked.toSorted());
    // Each line of this file would be a value that the button fills in: none may have one.
    const filled = read(".dev.vars.example").match(/^\w+=(?=.)/gm);
    expect(filled).toBeNull();
  });
});

describe("docs/operations.md", () => {
  const [workflow] = blocksOf("docs/operations.md").filter(({ mark }) => mark === "file=policy.yml");
  type Step = { uses?: string; run?: string };
  const { jobs, on } = parseYaml(workflow!.text) as {
    jobs: Record<string, { steps: Step[]; if?: string; needs?: string }>;
    on: object;
  };
  const runs = (job: string) => jobs[job]!.steps.map(({ run = "" }) => run).join("\n");

  it("has a workflow that checks and tests a pull request, and applies on main alone", () => {
    expect(Object.keys(on)).toEqual(["pull_request", "push"]);
    expect(runs("test")).toMatch(/policy test [\s\S]*policy check [\s\S]*policy diff/);
    expect(runs("test")).not.toContain("policy apply");
    expect(jobs.apply).toMatchObject({ if: "github.ref == 'refs/heads/main'", needs: "test" });
    expect(runs("apply")).toContain("policy apply");
    for (const job of Object.keys(jobs)) execFileSync("sh", ["-n", "-c", runs(job)]);
  });
});

describe("commands in the documents", () => {
  const commands = pages
    .filter((page) => !page.startsWith("docs/decisions/"))
    .flatMap((page) => blocksOf(page).filter(({ language }) => ["sh", "yaml"].includes(language)))
    .flatMap(({ text }) => Array.from(text.matchAll(/(?:npx |bin\/)portcullis ([a-z-]+)(?: ([a-z-]+))?/g)));

  it("exist", async () => {
    const program = await helpOf([]);
    const groups = [...new Set(commands.map(([, name]) => name!))];
    expect(groups.length).toBeGreaterThan(10);
    expect(groups.filter((name) => !program.includes(`\n  ${name}`))).toEqual([]);
    const nested = commands.filter(([, name]) => NESTED.has(name!));
    expect(nested.length).toBeGreaterThan(10);
    for (const [, name, sub] of nested)
      expect(await helpOf([name!]), `${name} ${sub}`).toContain(`\n  ${sub}`);
  });
});

const NESTED = new Set([
  "policy",
  "keys",
  "webhooks",
  "requests",
  "grants",
  "revocations",
  "sessions",
  "denylist",
]);

async function helpOf(command: string[]): Promise<string> {
  const { code, out } = await new CliUser("/nowhere", {}).run([...command, "--help"]);
  expect(code).toBe(0);
  return out;
}
