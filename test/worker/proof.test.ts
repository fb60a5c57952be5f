import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import type { ProofObject } from "../../src/tokens/proof-object.ts";

const shard = (name: string) => env.PROOF.getByName(name) as DurableObjectStub<ProofObject>;
const soon = () => Math.floor(Date.now() / 1000) + 60;
const rows = (stub: DurableObjectStub<ProofObject>) =>
  runInDurableObject(stub, (_object, state) =>
    state.storage.sql.exec<{ proof: string }>("SELECT proof FROM used_proofs ORDER BY proof").toArray(),
  );

describe("the object of used proofs", () => {
  it("takes a proof once, of any number of calls at the same time", async () => {
    const stub = shard("aa");
    const calls = Array.from({ length: 50 }, (_, n) => stub.use("key.p1", `call-${n}`, soon()));
    const answers = await Promise.all(calls);
    expect(answers.filter((answer) => answer.ok && answer.value)).toHaveLength(1);
    expect(await stub.use("key.p2", "call", soon())).toEqual({ ok: true, value: true });
    expect(await stub.use("other.p1", "call", soon())).toEqual({ ok: true, value: true });
  });

  it("answers the same to a call that is made again, because its answer was lost", async () => {
    const stub = shard("bb");
    expect(await stub.use("key.p1", "call-1", soon())).toEqual({ ok: true, value: true });
    expect(await stub.use("key.p1", "call-1", soon())).toEqual({ ok: true, value: true });
    expect(await stub.use("key.p1", "call-2", soon())).toEqual({ ok: true, value: false });
  });

  it("still knows what it has answered after it was evicted", async () => {
    const stub = shard("cc");
    await stub.use("key.p1", "call-1", soon());
    await evictDurableObject(stub);
    expect(await stub.use("key.p1", "call-2", soon())).toEqual({ ok: true, value: false });
  });

  it("forgets a proof once it is over, and takes none that is", async () => {
    const stub = shard("dd");
    expect(await stub.use("key.late", "call", soon() - 61)).toMatchObject({
      ok: false,
      error: { code: "gone" },
    });
    await stub.use("key.p1", "call", soon());
    await stub.use("key.p2", "call", soon() + 600);
    expect(await runDurableObjectAlarm(stub)).toBe(true);
    expect(await rows(stub)).toEqual([{ proof: "key.p1" }, { proof: "key.p2" }]);
    await runInDurableObject(stub, (_object, state) => {
      state.storage.sql.exec("UPDATE used_proofs SET expires_at = 1 WHERE proof = 'key.p1'");
    });
    expect(await runDurableObjectAlarm(stub)).toBe(true);
    expect(await rows(stub)).toEqual([{ proof: "key.p2" }]);
  });
});
