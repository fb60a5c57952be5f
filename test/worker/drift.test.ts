import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import type { LogObject } from "../../src/replication/log-object.ts";
import { PROBE_ACTOR, type Revocation } from "../../src/revocation/rule.ts";
import { expectValue, remote } from "../support/remote.ts";

const log = Object.assign(remote<LogObject>(env.LOG.getByName("main")), { stub: env.LOG.getByName("main") });
const inKv = async (name: string) =>
  (await env.KV.get<Revocation[]>(name, "json"))?.map(({ id }) => id) ?? null;
const seconds = () => Math.floor(Date.now() / 1000);

const add = (id: string, over: Partial<Revocation> = {}) => {
  const rule = {
    id,
    match: { jti: id },
    reason: "a test",
    actor: "operator",
    created_at: seconds(),
    ...over,
  };
  return log.append({ id, kind: "revocation.added", rule });
};
/** As if everything had been accepted long ago: what is new is not looked at. */
const settle = () =>
  runInDurableObject(log.stub, (_instance, state) => {
    state.storage.sql.exec("UPDATE entries SET accepted_at_ms = accepted_at_ms - 600000");
  });
const projected = (name: string, ids: string[] | null) =>
  vi.waitFor(
    async () => {
      await runDurableObjectAlarm(log.stub);
      expect(await inKv(name)).toEqual(ids);
    },
    { timeout: 5_000, interval: 200 },
  );

describe("the drift check of the log", () => {
  it("finds nothing to repair where every effect has arrived", async () => {
    await add("rev_fine");
    await projected("deny:jti:rev_fine", ["rev_fine"]);
    await settle();
    expect(expectValue(await log.checkDrift())).toEqual({ checked: 2, missing: 0, stale: 0 });
  });

  it("writes what KV lost and takes out what nobody revoked, by the outbox", async () => {
    await env.KV.delete("deny:jti:rev_fine");
    const stray = [{ id: "rev_stray", match: { sub: "stray" }, reason: "", actor: "", created_at: 0 }];
    await env.KV.put("deny:sub:stray", JSON.stringify(stray));
    expect(expectValue(await log.checkDrift())).toMatchObject({ missing: 1, stale: 1 });
    await projected("deny:jti:rev_fine", ["rev_fine"]);
    await projected("deny:sub:stray", null);
    expect(expectValue(await log.checkDrift())).toMatchObject({ missing: 0, stale: 0 });
  });

  it("leaves alone a rule that was added a moment ago", async () => {
    await add("rev_young");
    await projected("deny:jti:rev_young", ["rev_young"]);
    await env.KV.delete("deny:jti:rev_young");
    expect(expectValue(await log.checkDrift())).toMatchObject({ missing: 0 });
    await settle();
    expect(expectValue(await log.checkDrift())).toMatchObject({ missing: 1 });
  });

  it("leaves alone a rule that was lifted a moment ago", async () => {
    await log.append({ id: "log_lift", kind: "revocation.lifted", revocation_id: "rev_fine", actor: "o" });
    await projected("deny:jti:rev_fine", null);
    const rule = { id: "rev_fine", match: { jti: "rev_fine" }, reason: "", actor: "", created_at: 0 };
    await env.KV.put("deny:jti:rev_fine", JSON.stringify([rule]));
    await settle();
    expect(expectValue(await log.checkDrift())).toMatchObject({ stale: 0 });
    await runInDurableObject(log.stub, (_instance, state) => {
      state.storage.sql.exec("UPDATE revocations SET lifted_at = lifted_at - 600");
    });
    expect(expectValue(await log.checkDrift())).toMatchObject({ stale: 1 });
  });
});

describe("the rules of the canary", () => {
  it("are in force and in no list; the next one takes away those whose tokens are dead", async () => {
    const past = seconds() - 600;
    await add("rev_probe_1", { actor: PROBE_ACTOR, created_at: past, expires_at: past + 300 });
    await add("rev_person", { created_at: past, expires_at: past + 300 });
    await add("rev_probe_2", { actor: PROBE_ACTOR, expires_at: seconds() + 300 });
    const ids = expectValue(await log.snapshot()).rules.map(({ id }) => id);
    expect(ids).toContain("rev_probe_2");
    const listed = expectValue(await log.revocations(50)).items.map(({ id }) => id);
    expect(listed).toContain("rev_person");
    expect(listed.filter((id) => id.startsWith("rev_probe"))).toEqual([]);
    expect(await log.revocation("rev_probe_1")).toMatchObject({ error: { code: "not_found" } });
    expect(await log.revocation("rev_probe_2")).toMatchObject({ ok: true });
  });
});
