import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { policySchema } from "../../src/policy/document.ts";
import type { Detection } from "../../src/protocol/detection.ts";
import type { RegistryObject } from "../../src/registry/registry-object.ts";
import type { MonitorObject } from "../../src/remediation/monitor-object.ts";
import type { RemediationView } from "../../src/remediation/remediation.ts";
import type { RemediationObject } from "../../src/remediation/remediation-object.ts";
import type { LogObject } from "../../src/replication/log-object.ts";
import type { RevocationRecord } from "../../src/revocation/record.ts";
import { expectValue, remote } from "../support/remote.ts";

const OPERATOR_SECRET = "b3BlcmF0b3Itc2VjcmV0LW9ubHktZm9yLXRlc3RzLTAx";
const stub = env.REMEDIATION.getByName("main");
const remediation = remote<RemediationObject>(stub);
const log = remote<LogObject>(env.LOG.getByName("main"));
const registry = remote<RegistryObject>(env.REGISTRY.getByName("main"));

let version = 0;
let count = 0;

async function putRules(rules: object[] | undefined, confirm_above = 1_000): Promise<void> {
  const document = policySchema.parse({
    revocations: { confirm_above },
    ...(rules ? { remediation: { rules } } : {}),
  });
  expectValue(await registry.putPolicy({ id: `log_${version}`, document, if_match: version, actor: "test" }));
  version++;
}

const detection = (about: Detection["about"], over: Partial<Detection> = {}): Detection => ({
  id: `det_${String(++count).padStart(26, "0")}`,
  kind: "token_overused",
  at: Math.floor(Date.now() / 1000),
  window_seconds: 60,
  count: 20_000,
  threshold: 20_000,
  about: { iss: env.ISSUER, ...about },
  ...over,
});

/** Rules in force that remedies made, by their match. */
async function inForce(): Promise<RevocationRecord[]> {
  const { items } = expectValue(await log.revocations(200));
  return items.filter(({ actor, state }) => actor.startsWith("remediation:") && state === "in_force");
}
const isDenied = async (match: RevocationRecord["match"]) =>
  (await inForce()).some((rule) => JSON.stringify(rule.match) === JSON.stringify(match));

const newest = async (rule: string): Promise<RemediationView> => {
  const [found] = expectValue(await remediation.remediations({ limit: 1, rule })).items;
  if (!found) throw new Error(`${rule} has not fired`);
  return found;
};
const firings = async (rule: string) =>
  expectValue(await remediation.remediations({ limit: 200, rule })).items.length;

/** Live tokens of ours, as the directory knows them. */
async function live(tokens: number, of: { session?: string; sub?: string }): Promise<void> {
  await runInDurableObject(env.DIRECTORY.getByName("main"), (_object, { storage }) => {
    storage.sql.exec(
      `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
       INSERT INTO live_tokens SELECT ? || i, ?, 'cli_1', NULL, ?, NULL, 'k1', 'urn:origin', ?, ? FROM n`,
      tokens,
      `tok_${++count}_`,
      of.sub ?? "corp|somebody",
      of.session ?? null,
      Math.floor(Date.now() / 1000) - 5,
      Math.floor(Date.now() / 1000) + 3_600,
    );
  });
}

describe("a detection", () => {
  it("is judged once, by the rules that hold where the policy has none, however often it is told", async () => {
    const one = detection({ jti: "tok_a", session: "ses_a", sub: "corp|alice" });
    await Promise.all(Array.from({ length: 5 }, () => remediation.detected(one)));
    await remediation.detected(one);
    await vi.waitFor(async () => expect(await isDenied({ iss: env.ISSUER, jti: "tok_a" })).toBe(true));
    expect(await firings("overused-token")).toBe(1);
    expect(await inForce()).toHaveLength(1);
    const fired = await newest("overused-token");
    expect(expectValue(await remediation.detection(one.id))).toMatchObject({
      detection: one,
      outcomes: [{ rule_id: "overused-token", outcome: "acted", remediation_id: fired.id }],
    });
    expect(fired).toMatchObject({
      state: "acted",
      detection_id: one.id,
      would_cut: 1,
      actions: [
        { kind: "revoke", on: { jti: "tok_a" }, receipt: { seq: expect.any(Number) } },
        { kind: "notify" },
      ],
    });
  });

  it("of many at once for one target has one of them acted on, and the others wait for the cool-down", async () => {
    const all = Array.from({ length: 10 }, () => detection({ jti: "tok_b" }));
    const before = await firings("overused-token");
    await Promise.all(all.map((one) => remediation.detected(one)));
    expect(await firings("overused-token")).toBe(before + 1);
    const outcomes = await Promise.all(
      all.map(async ({ id }) => expectValue(await remediation.detection(id)).outcomes),
    );
    expect(
      outcomes
        .flat()
        .map(({ outcome }) => outcome)
        .toSorted(),
    ).toEqual(["acted", ...Array(9).fill("cooling_down")]);
  });

  it("whose rules cannot be known is not taken: whoever told it tells it again", async () => {
    const broken = {
      ...env,
      REGISTRY: { getByName: () => ({ activePolicy: () => Promise.reject(new Error("down")) }) },
    };
    const one = detection({ jti: "tok_c" });
    const result = await runInDurableObject(stub, async (object, ctx) => {
      const Class = object.constructor as new (ctx: DurableObjectState, env: unknown) => RemediationObject;
      return new Class(ctx, broken).detected(one);
    });
    expect(result).toMatchObject({ ok: false, error: { code: "unavailable" } });
    expect(await remediation.detection(one.id)).toMatchObject({ error: { code: "not_found" } });
    expect(await remediation.detected(one)).toEqual({ ok: true, value: null });
  });
});

describe("an undo", () => {
  it("lifts what the firing made, once, and says so", async () => {
    await remediation.detected(detection({ jti: "tok_undo" }));
    const match = { iss: env.ISSUER, jti: "tok_undo" };
    await vi.waitFor(async () => expect(await isDenied(match)).toBe(true));
    const { id } = await newest("overused-token");
    const undone = expectValue(await remediation.undo(id, "corp|olivia", "a load test"));
    expect(undone).toMatchObject({
      state: "undone",
      ended: { by: "corp|olivia", reason: "a load test" },
      actions: [{ lift_receipt: { seq: expect.any(Number) } }, { not_undone: "What was sent stays sent." }],
    });
    expect(await isDenied(match)).toBe(false);
    expect(expectValue(await remediation.undo(id, "corp|bob", "again"))).toEqual(undone);
    const { id: revocation } = (expectValue(await log.revocations(200)).items.find(
      (rule) => rule.match.jti === "tok_undo",
    ) ?? {}) as RevocationRecord;
    expect(expectValue(await log.revocation(revocation))).toMatchObject({
      state: "lifted",
      lifted_by: "corp|olivia",
    });
  });

  it("is refused where nothing can be taken back", async () => {
    await remediation.detected(detection({ jti: "tok_old" }, { kind: "token_used_after_expiry" }));
    const { id } = await newest("expired-token-in-use");
    expect(await remediation.undo(id, "corp|olivia", "x")).toMatchObject({ error: { code: "conflict" } });
    expect(await remediation.undo("rmd_none", "corp|olivia", "x")).toMatchObject({
      error: { code: "not_found" },
    });
  });
});

describe("rules of the policy", () => {
  const rules = [
    {
      id: "capped",
      when: "token_overused",
      actions: [{ kind: "revoke", target: "session" }],
      max_cut: 2,
      cooldown_seconds: 0,
    },
    {
      id: "shadow",
      when: "token_overused",
      actions: [{ kind: "force_sign_in" }],
      shadow: true,
      cooldown_seconds: 0,
    },
    {
      id: "gentle",
      when: "token_many_addresses",
      condition: "about.sub.startsWith('corp|')",
      actions: [
        { kind: "step_up", target: "subject" },
        { kind: "shrink_scope", target: "session", scopes: ["orders:refund"] },
      ],
    },
    {
      id: "block",
      when: "token_tampered",
      actions: [{ kind: "block_address", seconds: 60 }],
      max_per_hour: 2,
      cooldown_seconds: 0,
    },
    { id: "rotate", when: "key_rotation_overdue", actions: [{ kind: "rotate_key" }] },
  ];
  beforeAll(() => putRules(rules, 4));

  it("hold back what would cut more than the cap; one person lets it go ahead", async () => {
    await live(3, { session: "ses_three" });
    await remediation.detected(detection({ session: "ses_three" }));
    const held = await newest("capped");
    expect(held).toMatchObject({ state: "held", would_cut: 3, held: { needed: 1, confirmations: [] } });
    expect(await isDenied({ session: "ses_three" })).toBe(false);
    const acted = expectValue(await remediation.confirm(held.id, "corp|olivia", "looks right"));
    expect(acted).toMatchObject({ state: "acted", actions: [{ receipt: { seq: expect.any(Number) } }] });
    expect(await isDenied({ session: "ses_three" })).toBe(true);
    expect(expectValue(await remediation.confirm(held.id, "corp|olivia"))).toEqual(acted);
    expect(await remediation.confirm(held.id, "corp|bob")).toMatchObject({ error: { code: "conflict" } });
  });

  it("need two persons above what the policy lets one cut", async () => {
    await live(5, { session: "ses_five" });
    await remediation.detected(detection({ session: "ses_five" }));
    const { id } = await newest("capped");
    expect(expectValue(await remediation.confirm(id, "corp|olivia"))).toMatchObject({ state: "held" });
    expect(await remediation.confirm(id, "corp|olivia")).toMatchObject({ error: { code: "forbidden" } });
    expect(await isDenied({ session: "ses_five" })).toBe(false);
    expect(expectValue(await remediation.confirm(id, "corp|bob"))).toMatchObject({ state: "acted" });
    expect(await isDenied({ session: "ses_five" })).toBe(true);
  });

  it("go on at once below the cap, and nothing else is cut", async () => {
    await live(2, { session: "ses_two", sub: "corp|tom" });
    const before = await inForce();
    await remediation.detected(detection({ session: "ses_two", sub: "corp|tom" }));
    await vi.waitFor(async () => expect(await isDenied({ session: "ses_two" })).toBe(true));
    expect(await inForce()).toHaveLength(before.length + 1);
    expect(await newest("shadow")).toMatchObject({ state: "shadow", actions: [{ on: { sub: "corp|tom" } }] });
    expect(await isDenied({ sub: "corp|tom" })).toBe(false);
    const { id } = await newest("shadow");
    expect(await remediation.undo(id, "corp|olivia", "x")).toMatchObject({ error: { code: "conflict" } });
    expect(await remediation.confirm(id, "corp|olivia")).toMatchObject({ error: { code: "conflict" } });
  });

  it("that were held and given up, or not confirmed in time, do nothing any more", async () => {
    await live(3, { session: "ses_given" });
    await remediation.detected(detection({ session: "ses_given" }));
    const { id } = await newest("capped");
    expect(expectValue(await remediation.undo(id, "corp|olivia", "a test"))).toMatchObject({
      state: "dismissed",
    });
    expect(await remediation.confirm(id, "corp|bob")).toMatchObject({ error: { code: "conflict" } });
    await remediation.detected(detection({ session: "ses_given" }));
    const late = await newest("capped");
    await runInDurableObject(stub, (_object, { storage }) => {
      storage.sql.exec(
        "UPDATE remediations SET body = json_set(body, '$.held.until', 1) WHERE id = ?",
        late.id,
      );
    });
    expect(expectValue(await remediation.remediation(late.id))).toMatchObject({ state: "hold_expired" });
    expect(await remediation.confirm(late.id, "corp|bob")).toMatchObject({ error: { code: "gone" } });
    expect(await isDenied({ session: "ses_given" })).toBe(false);
  });

  it("constrain, and are lifted by an undo", async () => {
    await remediation.detected(
      detection({ sub: "corp|gina", session: "ses_g" }, { kind: "token_many_addresses" }),
    );
    await vi.waitFor(async () => expect(await isDenied({ session: "ses_g" })).toBe(true));
    const made = (await inForce()).filter(({ effect }) => effect);
    expect(made.map(({ match, effect }) => [match, effect?.kind])).toEqual(
      expect.arrayContaining([
        [{ sub: "corp|gina" }, "step_up"],
        [{ session: "ses_g" }, "shrink_scope"],
      ]),
    );
    expectValue(await remediation.undo((await newest("gentle")).id, "corp|olivia", "x"));
    expect((await inForce()).filter(({ effect }) => effect)).toEqual([]);
  });

  it("act so often in an hour, and no more", async () => {
    const from = (address: string) => detection({ address }, { kind: "token_tampered" });
    const all = ["203.0.113.1", "203.0.113.2", "203.0.113.3"].map(from);
    for (const one of all) await remediation.detected(one);
    await vi.waitFor(async () => expect(await isDenied({ address: "203.0.113.2" })).toBe(true));
    expect(await isDenied({ address: "203.0.113.3" })).toBe(false);
    expect(expectValue(await remediation.detection(all[2]!.id)).outcomes).toEqual([
      { rule_id: "block", outcome: "over_hourly_limit" },
    ]);
  });

  it("begin the rotation of our keys, which stays", async () => {
    await remediation.detected(detection({ kid: "k-old" }, { kind: "key_rotation_overdue" }));
    await vi.waitFor(async () =>
      expect((await newest("rotate")).actions[0]).toMatchObject({ result: expect.stringMatching(/^signs /) }),
    );
    const { id } = await newest("rotate");
    expect(await remediation.undo(id, "corp|olivia", "x")).toMatchObject({ error: { code: "conflict" } });
  });

  it("are all there after an eviction, with what they have done", async () => {
    const before = expectValue(await remediation.remediations({ limit: 200 }));
    await evictDurableObject(stub);
    expect(expectValue(await remediation.remediations({ limit: 200 }))).toEqual(before);
  });

  it("are counted for metrics, each outcome once", async () => {
    const monitor = remote<MonitorObject>(env.MONITOR.getByName("main"));
    const name = (rule: string, outcome: string) =>
      `portcullis_remediations_total{rule="${rule}",outcome="${outcome}"}`;
    await vi.waitFor(async () => {
      const { counters } = expectValue(await monitor.read());
      expect(counters[name("block", "acted")]).toBe(2);
      expect(counters[name("block", "over_hourly_limit")]).toBe(1);
    });
  });
});

describe("over HTTP", () => {
  type Body = Record<string, unknown> & { items: Record<string, unknown>[] };
  let token: string;

  async function call(method: string, path: string, body?: object, headers: Record<string, string> = {}) {
    const answer = await exports.default.fetch(
      new Request(`${env.ISSUER}${path}`, {
        method,
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json", ...headers },
        ...(body ? { body: JSON.stringify(body) } : {}),
      }),
    );
    return { status: answer.status, etag: answer.headers.get("etag"), body: await answer.json<Body>() };
  }

  beforeAll(async () => {
    const answer = await exports.default.fetch(
      new Request(`${env.ISSUER}/oauth/token`, {
        method: "POST",
        headers: { authorization: `Basic ${btoa(`operator:${OPERATOR_SECRET}`)}` },
        body: new URLSearchParams({ grant_type: "client_credentials" }),
      }),
    );
    token = String((await answer.json<Record<string, unknown>>()).access_token);
  });

  it("lists detections by what they are about, in pages, with what was done", async () => {
    const all: unknown[] = [];
    for (let cursor = ""; ; ) {
      const { status, body } = await call("GET", `/v1/detections?limit=3${cursor}`);
      expect(status).toBe(200);
      all.push(...body.items.map(({ id }) => id));
      if (!body.next_cursor) break;
      cursor = `&cursor=${body.next_cursor}`;
    }
    expect(new Set(all).size).toBe(all.length);
    expect(all.length).toBeGreaterThan(20);
    const { body } = await call("GET", "/v1/detections?kind=token_overused&jti=tok_a");
    expect(body.items).toMatchObject([
      { kind: "token_overused", about: { jti: "tok_a" }, outcomes: [{ outcome: "acted" }] },
    ]);
    const [{ id } = { id: "" }] = body.items;
    expect((await call("GET", `/v1/detections/${id}`)).body).toEqual(body.items[0]);
    expect((await call("GET", "/v1/detections/det_none")).status).toBe(404);
    expect((await call("GET", "/v1/detections?colour=red")).status).toBe(400);
  });

  it("shows firings, and takes one back with its reason", async () => {
    const { body } = await call("GET", "/v1/remediations?rule=block&state=acted");
    expect(body.items).toHaveLength(2);
    const path = `/v1/remediations/${body.items[0]!.id}`;
    expect((await call("POST", `${path}/undo`, {})).status).toBe(400);
    expect((await call("POST", `${path}/undo`, { reason: "our own scanner" })).body).toMatchObject({
      state: "undone",
    });
    expect((await call("GET", path)).body).toMatchObject({ ended: { reason: "our own scanner" } });
  });

  it("reads and replaces the rules as a version of the policy", async () => {
    const read = await call("GET", "/v1/remediation-rules");
    expect(read).toMatchObject({ etag: `"${version}"`, body: { default: false } });
    const rules = [{ id: "one", when: "token_overused", actions: [{ kind: "notify" }] }];
    expect((await call("PUT", "/v1/remediation-rules", { rules })).status).toBe(428);
    expect((await call("PUT", "/v1/remediation-rules", { rules }, { "if-match": '"0"' })).status).toBe(412);
    const bad = [{ id: "one", when: "token_overused", actions: [{ kind: "rotate_key" }] }];
    const current = { "if-match": read.etag! };
    expect((await call("PUT", "/v1/remediation-rules", { rules: bad }, current)).status).toBe(400);
    const put = await call("PUT", "/v1/remediation-rules", { rules }, current);
    expect(put).toMatchObject({
      status: 200,
      body: { version: version + 1, receipt: { seq: expect.any(Number) } },
    });
    expect((await call("GET", "/v1/remediation-rules")).body).toMatchObject({
      rules: [{ id: "one", max_cut: 100 }],
    });
    const policy = (await call("GET", "/v1/policy")).body;
    expect(policy).toMatchObject({ version: version + 1, document: { revocations: { confirm_above: 4 } } });
  });

  it("replays what was recorded through other rules, and does nothing", async () => {
    const before = await inForce();
    const rules = [
      {
        id: "candidate",
        when: "token_overused",
        actions: [{ kind: "revoke", target: "session" }],
        cooldown_seconds: 0,
      },
    ];
    const { status, body } = await call("POST", "/v1/remediation-rules/replay", { rules, since: 0 });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      truncated: false,
      rules: [{ rule_id: "candidate", outcomes: { acted: expect.any(Number) } }],
    });
    expect((body.rules as { tokens_cut: number }[])[0]!.tokens_cut).toBe(13);
    expect(await inForce()).toEqual(before);
    const bad = [{ ...rules[0], condition: "nonsense(" }];
    expect((await call("POST", "/v1/remediation-rules/replay", { rules: bad, since: 0 })).status).toBe(400);
  });
});
