import { evictDurableObject, runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { policySchema } from "../../src/policy/document.ts";
import type { LogEntry } from "../../src/replication/entry.ts";
import type { LogObject } from "../../src/replication/log-object.ts";
import type { Revocation } from "../../src/revocation/rule.ts";
import { expectValue, remote } from "../support/remote.ts";

let count = 0;
const newLog = () => {
  const stub = env.LOG.getByName(`log-${count++}`);
  return Object.assign(remote<LogObject>(stub), { stub });
};
const soon = () => Math.floor(Date.now() / 1000) + 3_600;
const rule = (id: string, over: Partial<Revocation> = {}): Revocation => ({
  id,
  match: { jti: id },
  reason: "test",
  actor: "operator",
  created_at: 1,
  expires_at: soon(),
  ...over,
});
const added = (id: string, over: Partial<Revocation> = {}): LogEntry => ({
  id,
  kind: "revocation.added",
  rule: rule(id, over),
});

describe("append", () => {
  it("numbers entries from one and answers the same receipt for the same entry", async () => {
    const log = newLog();
    const entry = added("rev_a");
    const first = await log.append(entry);
    expect(first).toMatchObject({ ok: true, value: { id: "rev_a", seq: 1 } });
    expect(await log.append(added("rev_b"))).toMatchObject({ value: { seq: 2 } });
    expect(await log.append(entry)).toEqual(first);
    expect(await log.append(added("rev_a", { reason: "other" }))).toMatchObject({
      error: { code: "conflict" },
    });
    expect(await log.since(0)).toMatchObject({
      value: { too_old: false, head_seq: 2, entries: [{ seq: 1 }, { seq: 2 }] },
    });
  });

  it("states the bound of the policy in force", async () => {
    const log = newLog();
    const before = await log.append(added("rev_a"));
    const { accepted_at, effective_by } = expectValue(before);
    expect(effective_by.strict).toBe(accepted_at);
    expect(effective_by.bounded - accepted_at).toBeCloseTo(2, 3);
    expect(effective_by.eventual - accepted_at).toBeCloseTo(60, 3);
    const route = {
      path: "/x",
      origin: "o",
      access: "public",
      id: "x",
      consistency: { tier: "bounded", max_staleness_ms: 9_000 },
    };
    const document = policySchema.parse({
      routes: [route],
      origins: { o: { url: "http://localhost:1", audience: "o" } },
    });
    await log.append({ id: "log_p", kind: "policy.activated", version: 1, document });
    const after = await log.append(added("rev_b"));
    const receipt = expectValue(after);
    expect(receipt.effective_by.bounded - receipt.accepted_at).toBeCloseTo(9, 3);
  });
});

describe("since", () => {
  it("answers nothing new at the head, and too old before what it keeps or beyond what it has", async () => {
    const log = newLog();
    await log.append(added("rev_a"));
    expect(await log.since(1)).toEqual({ ok: true, value: { too_old: false, head_seq: 1, entries: [] } });
    expect(await log.since(2)).toEqual({ ok: true, value: { too_old: true } });
  });
});

describe("its state", () => {
  it("is all there after eviction: rules, lifts, keys and policy", async () => {
    const log = newLog();
    await log.append(added("rev_a"));
    await log.append(added("rev_b"));
    await log.append({ id: "l", kind: "revocation.lifted", revocation_id: "rev_a", actor: "olivia" });
    await log.append({ id: "p", kind: "policy.activated", version: 4, document: policySchema.parse({}) });
    const before = await log.snapshot();
    await evictDurableObject(log.stub);
    const after = await log.snapshot();
    expect(after).toMatchObject({ value: { seq: 4, policy: { version: 4 }, rules: [{ id: "rev_b" }] } });
    expect({ ...(after.ok ? after.value : {}), at_ms: 0 }).toEqual({
      ...(before.ok ? before.value : {}),
      at_ms: 0,
    });
    expect(await log.revocation("rev_a")).toMatchObject({ value: { lifted_by: "olivia" } });
    expect(await log.revocation("rev_z")).toMatchObject({ error: { code: "not_found" } });
    expect(await log.revocations(1)).toMatchObject({ value: { items: [{ id: "rev_b", seq: 2 }] } });
  });

  it("shows no rule as in force that has expired", async () => {
    const log = newLog();
    await log.append(added("rev_a", { expires_at: 10 }));
    await log.append(added("rev_b"));
    expect(await log.snapshot()).toMatchObject({ value: { rules: [{ id: "rev_b" }] } });
  });
});

describe("its projections into KV", () => {
  const entry = (key: string) => env.KV.get<Revocation[]>(key, "json");

  it("hold each rule and a snapshot; a lift removes the rule", async () => {
    const log = newLog();
    await log.append(added("rev_kv1", { match: { sub: "demo|kv1" } }));
    await vi.waitFor(async () => expect(await entry("deny:sub:demo|kv1")).toMatchObject([{ id: "rev_kv1" }]));
    await log.append({ id: "l", kind: "revocation.lifted", revocation_id: "rev_kv1", actor: "o" });
    await vi.waitFor(
      async () => {
        await runDurableObjectAlarm(log.stub);
        expect(await entry("deny:sub:demo|kv1")).toBeNull();
      },
      { timeout: 5_000, interval: 250 },
    );
    await vi.waitFor(
      async () => {
        await runDurableObjectAlarm(log.stub);
        expect(await env.KV.get("snapshot", "json")).toMatchObject({ seq: 2, rules: [] });
      },
      { timeout: 5_000, interval: 250 },
    );
  });

  it("hold a rule that is nearly over for KV's shortest time, rather than fail", async () => {
    const log = newLog();
    await log.append(added("rev_kv2", { expires_at: Math.floor(Date.now() / 1000) + 5 }));
    await vi.waitFor(async () => expect(await entry("deny:jti:rev_kv2")).toMatchObject([{ id: "rev_kv2" }]));
  });

  it("keep two rules under one claim apart", async () => {
    const log = newLog();
    await log.append(added("rev_kv3", { match: { sub: "demo|kv3" } }));
    await log.append(added("rev_kv4", { match: { sub: "demo|kv3", iss: "https://i" } }));
    await vi.waitFor(
      async () => {
        await runDurableObjectAlarm(log.stub);
        expect(await entry("deny:sub:demo|kv3")).toHaveLength(2);
      },
      { timeout: 5_000, interval: 250 },
    );
  });
});
