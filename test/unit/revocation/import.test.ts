import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { problem } from "../../../src/protocol/problem.ts";
import { err, ok } from "../../../src/protocol/result.ts";
import type { DenialInput } from "../../../src/revocation/denied-token.ts";
import type { DenialBatch } from "../../../src/revocation/denylist-port.ts";
import { Import, type ImportDeps, type ImportOptions } from "../../../src/revocation/import.ts";
import { parseImportLine } from "../../../src/revocation/import-line.ts";
import { type Line, LineSplitter, MAX_LINE_BYTES } from "../../../src/revocation/line-splitter.ts";
import type { Receipt } from "../../../src/revocation/receipt.ts";
import type { Revocation } from "../../../src/revocation/rule.ts";

const SEED = 20_261_118;
const NOW = 1_000;
const encoder = new TextEncoder();

function split(chunks: readonly Uint8Array[]): Line[] {
  const splitter = new LineSplitter();
  return [...chunks.flatMap((chunk) => [...splitter.push(chunk)]), ...splitter.end()];
}

describe("lines", () => {
  it("are the same however the bytes are cut", () => {
    const text = fc.array(fc.oneof(fc.string({ unit: "grapheme" }), fc.constantFrom("", "\r", " ")), {
      maxLength: 30,
    });
    fc.assert(
      fc.property(text, fc.array(fc.nat(40)), fc.boolean(), (parts, cuts, ending) => {
        const lines = parts.map((part) => part.replaceAll("\n", ""));
        const bytes = encoder.encode(lines.join("\n") + (ending ? "\n" : ""));
        const chunks: Uint8Array[] = [];
        let at = 0;
        for (const cut of cuts) {
          chunks.push(bytes.slice(at, at + cut));
          at += cut;
        }
        chunks.push(bytes.slice(at));
        const expected = lines.flatMap((line, i) =>
          line.trim() ? [{ line: i + 1, text: line.trim() }] : [],
        );
        expect(split(chunks)).toEqual(expected);
      }),
      { seed: SEED, numRuns: 300 },
    );
  });

  it("that are too long or not UTF-8 are faults of their own", () => {
    const long = "x".repeat(MAX_LINE_BYTES + 1);
    const fits = "y".repeat(MAX_LINE_BYTES);
    const bytes = [...encoder.encode(`${long}\n${fits}\n`), 0xff, 0x0a, ...encoder.encode(`ok\n${long}`)];
    for (const size of [1_000_000, 100, 7]) {
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
        Uint8Array.from(bytes.slice(i * size, (i + 1) * size)),
      );
      expect(split(chunks)).toEqual([
        { line: 1, fault: "the line is over 4096 bytes" },
        { line: 2, text: fits },
        { line: 3, fault: "the line is not UTF-8" },
        { line: 4, text: "ok" },
        { line: 5, fault: "the line is over 4096 bytes" },
      ]);
    }
  });
});

describe("a line", () => {
  const parse = (value: unknown) =>
    parseImportLine(typeof value === "string" ? value : JSON.stringify(value), NOW);

  it("is a token, or a rule; a rule that names one token and nothing else is that token", () => {
    expect(parse({ jti: "a" })).toEqual(ok({ kind: "token", token: { jti: "a" } }));
    const full = { jti: "a", iss: "i", expires_at: 2_000.5, reason: "r" };
    expect(parse(full)).toEqual(ok({ kind: "token", token: full }));
    expect(parse({ match: { jti: "a", iss: "i" }, reason: "r" })).toEqual(
      ok({ kind: "token", token: { jti: "a", iss: "i", reason: "r" } }),
    );
    for (const rule of [
      { match: { jti: "a" }, issued_before: 5, reason: "r" },
      { match: { jti: "a", sub: "s" }, reason: "r" },
      { match: {}, issued_before: 5, reason: "r" },
      { id: `rev_${"0".repeat(26)}`, match: { jti: "a" }, reason: "r" },
    ]) {
      expect(parse(rule)).toMatchObject({ ok: true, value: { kind: "rule", rule: { match: rule.match } } });
    }
    expect(parse({ match: { sub: "s" }, reason: "r" })).toMatchObject({
      value: { rule: { match: { sub: "s" } } },
    });
  });

  it.each([
    ["", "one JSON object"],
    ["[]", "one JSON object"],
    ['{"jti":"a","jti":"b"}', "duplicate"],
    [{}, "jti:"],
    [{ jti: "" }, "jti:"],
    [{ jti: 5 }, "jti:"],
    [{ jti: "a\u0000" }, "jti:"],
    [{ jti: "a".repeat(513) }, "jti:"],
    ['{"jti":"\\ud800"}', "jti:"],
    [{ jti: "a", iss: "" }, "iss:"],
    [{ jti: "a", exp: 5_000 }, "not known"],
    [{ jti: "a", expires_at: "5000" }, "expires_at:"],
    [{ jti: "a", expires_at: 1_000 }, "in the past"],
    [{ jti: "a", expires_at: 1.9e12 }, "expires_at:"],
    [{ jti: "a", reason: "" }, "reason:"],
    [{ jti: "tok_1\n" }, "jti:"],
    [{ jti: " tok_1" }, "jti:"],
    [{ jti: "zoë" }, "jti:"],
    [{ match: { jti: "tok_1 " }, reason: "r" }, "match.jti:"],
    [{ match: {}, reason: "r" }, "match:"],
    [{ match: { sub: "s" } }, "reason:"],
    [{ match: { who: "s" }, reason: "r" }, "match:"],
    [{ id: "rev_1", match: { sub: "s" }, reason: "r" }, "id:"],
    [{ match: { sub: "s" }, reason: "r", expires_at: 5 }, "in the past"],
  ])("%j is refused: %s", (value, why) => {
    const parsed = parse(value);
    expect(parsed.ok).toBe(false);
    expect(parsed.ok ? "" : parsed.error).toContain(why);
  });
});

const OPTIONS: ImportOptions = {
  actor: "op",
  nowSeconds: NOW,
  publish: true,
  lift: false,
  emergency: false,
  dryRun: false,
};

describe("an import", () => {
  const receipt = (seq: number): Receipt => ({
    id: `log_${seq}`,
    seq,
    accepted_at: seq,
    effective_by: { strict: seq, bounded: seq, eventual: seq },
  });
  let batches: DenialBatch[];
  let stored: Map<string, DenialInput>;
  let rules: Map<string, Revocation>;
  let publications: number;
  /** Who was told of in an emergency, of how many ids it was asked whether they live, and whether that is known. */
  let told: string[];
  let asked: number[];
  let counts: boolean;
  let deps: ImportDeps;

  beforeEach(() => {
    batches = [];
    stored = new Map();
    rules = new Map();
    publications = 0;
    [told, asked, counts] = [[], [], true];
    const log = {
      append: async ({ rule }: { rule: Revocation }) => {
        rules.set(rule.id, rule);
        return ok(receipt(rules.size));
      },
      revocation: async (id: string) =>
        rules.has(id)
          ? ok({ ...rules.get(id)!, state: id.endsWith("z") ? "lifted" : "in_force", seq: 1, history: [] })
          : err(problem("not_found", id)),
      revocationReceipt: async () => ok(receipt(1)),
      propose: async (rule: Revocation) => {
        rules.set(rule.id, rule);
        return ok({ ...rule, state: "awaiting_confirmation", history: [] });
      },
    };
    deps = {
      clock: () => NOW * 1000,
      announce: async (_eventId, actor) => {
        told.push(actor);
        return ok(null);
      },
      denylist: {
        addBatch: async (batch) => {
          batches.push(batch);
          const fresh = batch.tokens.filter(({ jti }) => !stored.has(jti));
          for (const token of batch.tokens) stored.set(token.jti, token);
          return ok({ accepted: fresh.length, unchanged: batch.tokens.length - fresh.length });
        },
        removeBatch: async ({ tokens }) => {
          const gone = tokens.filter(({ jti }) => stored.delete(jti)).length;
          return ok({ accepted: gone, unchanged: tokens.length - gone });
        },
        publish: async () => {
          publications++;
          return ok({
            up_to: 7,
            done: publications % 3 === 0,
            ...(publications % 3 ? {} : { receipt: receipt(50) }),
          });
        },
      },
      revoke: {
        log,
        issuer: "https://us",
        clock: () => NOW * 1000,
        confirmAbove: async () => ok(10),

        live: {
          flush: async () => ok(null),
          among: async (jtis: string[]) => {
            asked.push(jtis.length);
            return counts ? ok(jtis.filter((jti) => jti.endsWith("z"))) : err(problem("unavailable", "down"));
          },
          count: async (match: { sub?: string }) => {
            const n = match.sub === "everyone" ? 11 : 0;
            return ok({
              would_cut: { tokens: n, grants: n, subjects: n, clients: n },
              exact: true,
              sample: [],
            });
          },
        },
      } as unknown as ImportDeps["revoke"],
    };
  });

  async function run(lines: unknown[], options: Partial<ImportOptions> = {}) {
    const each = new Import(deps, { ...OPTIONS, ...options });
    for (const [i, line] of lines.entries()) {
      const text = typeof line === "string" ? line : JSON.stringify(line);
      if (each.add({ line: i + 1, text })) {
        const flushed = await each.flush();
        if (!flushed.ok) return flushed;
      }
    }
    return each.finish();
  }

  it("stores in batches that stay small, and answers once it is published", async () => {
    const lines = Array.from({ length: 120_000 }, (_, i) => ({ jti: `t${i}` }));
    expect(await run(lines)).toEqual(
      ok({ accepted: 120_000, unchanged: 0, refused: 0, errors: [], receipt: receipt(50) }),
    );
    expect(batches.map(({ tokens }) => tokens.length)).toEqual([50_000, 50_000, 20_000]);
    expect(publications).toBe(3);
    expect(await run(lines)).toMatchObject({ value: { accepted: 0, unchanged: 120_000 } });
  });

  it("cuts batches by size as well", async () => {
    const wide = Array.from({ length: 20_000 }, (_, i) => ({
      jti: `t${i}`,
      iss: "i".repeat(500),
      reason: "r".repeat(500),
    }));
    await run(wide);
    expect(batches.length).toBe(3);
    for (const { tokens } of batches) expect(JSON.stringify(tokens).length).toBeLessThan(9_000_000);
  });

  it("names the first hundred bad lines and counts all", async () => {
    const outcome = await run([...Array(150).fill("bad"), { jti: "good" }]);
    expect(outcome).toMatchObject({ value: { accepted: 1, refused: 150 } });
    expect(outcome.ok && outcome.value.errors).toHaveLength(100);
  });

  it("makes a rule once, by its content or its id; what was lifted stays so", async () => {
    const rule = { match: { sub: "s" }, reason: "r" };
    expect(await run([rule, { jti: "t" }])).toMatchObject({ value: { accepted: 2, receipt: { seq: 50 } } });
    const [made] = rules.values();
    expect(made).toMatchObject({ match: { sub: "s" }, actor: "op", created_at: NOW });
    expect(made!.id).toMatch(/^rev_[0-9a-hjkmnp-tv-z]{26}$/);
    expect(await run([rule])).toMatchObject({ value: { accepted: 0, unchanged: 1 } });
    expect(rules.size).toBe(1);
    const named = { id: `rev_${"0".repeat(26)}`, match: { jti: "x" }, reason: "r" };
    expect(await run([named])).toMatchObject({ value: { accepted: 1 } });
    expect(stored.get("x")).toMatchObject({ jti: "x", reason: "r" });
    const lifted = `rev_${"0".repeat(25)}z`;
    rules.set(lifted, { ...made!, id: lifted });
    const again = await run([{ ...rule, id: lifted }]);
    expect(again).toMatchObject({ value: { accepted: 0, refused: 1, errors: [{ line: 1 }] } });
  });

  it("holds a rule back that would cut too much, like the call for one rule", async () => {
    const outcome = await run([{ match: { sub: "everyone" }, reason: "r" }]);
    expect(outcome).toMatchObject({
      value: { accepted: 0, refused: 1, awaiting_confirmation: [expect.any(String)] },
    });
  });

  it("refuses a rule that nobody could lift, and goes on with the rest", async () => {
    const outcome = await run([
      { match: { iss: "https://us" }, reason: "r" },
      { match: { sub: "s" }, reason: "r" },
    ]);
    expect(outcome).toMatchObject({ value: { accepted: 1, refused: 1, errors: [{ line: 1 }] } });
  });

  it("only loads where it is told so, and lifts where it is told so", async () => {
    const loaded = await run([{ jti: "t" }], { publish: false });
    expect(loaded).toEqual(ok({ accepted: 1, unchanged: 0, refused: 0, errors: [] }));
    expect(publications).toBe(0);
    expect(batches[0]).toMatchObject({ publish: false, actor: "op" });
    const lifted = await run([{ jti: "t" }, { jti: "u" }, { match: { sub: "s" }, reason: "r" }], {
      lift: true,
    });
    expect(lifted).toMatchObject({ value: { accepted: 1, unchanged: 1, refused: 1 } });
    expect(stored.size).toBe(0);
  });

  const own = (n: number, end = "z") => ({ jti: `tok_${String(n).padStart(25, "0")}${end}` });
  const owns = (count: number) => Array.from({ length: count }, (_, n) => own(n));

  it("is refused to one person where it names too many live tokens, and stores nothing of that batch", async () => {
    expect(await run(owns(10))).toMatchObject({ value: { accepted: 10 } });
    const more = [...owns(11), ...owns(11)];
    expect(await run(more)).toMatchObject({
      error: { code: "forbidden", extra: { live_tokens: 11, confirm_above: 10 } },
    });
    expect(stored.has(own(10).jti)).toBe(false);
    expect(await run([...owns(10), ...owns(10)])).toMatchObject({ value: { accepted: 0 } });
    const dead = Array.from({ length: 30 }, (_, n) => own(n, "d"));
    expect(await run(dead)).toMatchObject({ value: { accepted: 30 } });
    expect(await run(owns(11), { lift: true })).toMatchObject({ value: { accepted: 10 } });
    expect(told).toEqual([]);
  });

  it("in an emergency is taken in uncounted, once everybody was told", async () => {
    counts = false;
    expect(await run(owns(1))).toMatchObject({ error: { code: "unavailable" } });
    expect(await run([...owns(11), { jti: "t" }], { emergency: true })).toMatchObject({
      value: { accepted: 12 },
    });
    expect(told).toEqual(["op"]);
    deps.announce = async () => err(problem("unavailable", "down"));
    expect((await run([own(99)], { emergency: true })).ok).toBe(false);
    expect(stored.has(own(99).jti)).toBe(false);
  });

  it("only counts in a dry run: live tokens of ours, each once", async () => {
    const foreign = { ...own(50), iss: "https://elsewhere" };
    const lines = [...owns(11), ...owns(11), foreign, { match: { sub: "s" }, reason: "r" }, "bad"];
    expect(await run(lines, { dryRun: true })).toEqual(
      ok({
        dry_run: true,
        tokens: 23,
        rules: 1,
        refused: 1,
        errors: [{ line: 25, error: expect.any(String) }],
        would_cut: { tokens: 11 },
        exact: true,
      }),
    );
    expect([batches.length, publications, rules.size]).toEqual([0, 0, 0]);
    asked.length = 0;
    await run([foreign, { jti: "elsewhere-1" }], { dryRun: true });
    expect(asked).toEqual([]);
  });

  it("stops where it cannot store, and says how far it came", async () => {
    const lines = Array.from({ length: 4_000 }, (_, i) => ({ jti: `t${i}` }));
    const addBatch = deps.denylist.addBatch;
    deps.denylist.addBatch = async (batch) =>
      batches.length === 1 ? err(problem("unavailable", "down")) : addBatch(batch);
    const stopped = new Import(deps, OPTIONS);
    for (const [i, line] of lines.slice(0, 2_000).entries())
      stopped.add({ line: i + 1, text: JSON.stringify(line) });
    await stopped.flush();
    for (const [i, line] of lines.slice(2_000).entries())
      stopped.add({ line: i + 1, text: JSON.stringify(line) });
    expect(await stopped.finish()).toMatchObject({ error: { code: "unavailable" } });
    expect(stopped.progress).toEqual({ accepted: 2_000, unchanged: 0, refused: 0 });
  });
});
