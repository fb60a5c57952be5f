import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { PROOF_LIFE_SECONDS } from "../../../src/protocol/dpop.ts";
import { problem } from "../../../src/protocol/problem.ts";
import { err, ok } from "../../../src/protocol/result.ts";
import { DpopNonces, NONCE_WINDOW_SECONDS } from "../../../src/tokens/dpop-nonces.ts";
import { ProofChecker, type ProofUse, proofShard } from "../../../src/tokens/proof-checker.ts";
import { SeenProofs } from "../../../src/tokens/seen-proofs.ts";
import { proofOf, thumbprintOf } from "../../support/proof-factory.ts";
import { newKey, type TestKey } from "../../support/token-factory.ts";

const SECRET = "dGVzdC1zZWNyZXQtb25seS1mb3ItdGhlLXRlc3RzLTAx";
const URL_ = "https://api.example.com/orders";
const WINDOW_MS = NONCE_WINDOW_SECONDS * 1000;

describe("nonces", () => {
  let nowMs: number;
  const nonces = (secret = SECRET) => new DpopNonces(secret, () => nowMs);
  beforeEach(() => {
    nowMs = 15_000_000 * WINDOW_MS;
  });

  it("are the same in every isolate of a deployment, and in no other deployment", async () => {
    const nonce = await nonces().current();
    expect(await nonces().current()).toBe(nonce);
    expect(await nonces().isGood(nonce)).toBe(true);
    expect(await nonces(`${SECRET}x`).isGood(nonce)).toBe(false);
  });

  it("change with time, and are good for one window more", async () => {
    const isolate = nonces();
    const nonce = await isolate.current();
    nowMs += WINDOW_MS - 1;
    expect(await isolate.current()).toBe(nonce);
    nowMs += 1;
    expect(await isolate.current()).not.toBe(nonce);
    expect(await isolate.isGood(nonce)).toBe(true);
    nowMs += WINDOW_MS - 1;
    expect(await isolate.isGood(nonce)).toBe(true);
    nowMs += 1;
    expect(await isolate.isGood(nonce)).toBe(false);
  });

  it("cannot be made up", async () => {
    const isolate = nonces();
    for (const text of ["", "x", String(15_000_000), `${await isolate.current()}=`]) {
      expect(await isolate.isGood(text)).toBe(false);
    }
  });
});

describe("proofs that an isolate has seen", () => {
  const LIFE_MS = PROOF_LIFE_SECONDS * 1000;

  it("are remembered for as long as they could be used again, whenever they came", () => {
    for (const at of [0, 1, LIFE_MS / 2, LIFE_MS - 1, LIFE_MS]) {
      const seen = new SeenProofs();
      seen.add("first", 1_000_000);
      expect(seen.add("a", 1_000_000 + at)).toBe(true);
      for (const later of [0, 1, LIFE_MS / 2, LIFE_MS]) {
        seen.add(`other ${later}`, 1_000_000 + at + later);
        expect(seen.add("a", 1_000_000 + at + later), `${at} ${later}`).toBe(false);
      }
    }
  });

  it("are forgotten after that", () => {
    const seen = new SeenProofs();
    seen.add("a", 0);
    expect(seen.add("a", 3 * LIFE_MS)).toBe(true);
  });

  it("are bounded in number: the oldest go first", () => {
    const seen = new SeenProofs(10);
    for (let n = 0; n < 25; n++) expect(seen.add(`p${n}`, 1_000)).toBe(true);
    expect(seen.add("p24", 1_000)).toBe(false);
    expect(seen.add("p15", 1_000)).toBe(false);
    expect(seen.add("p0", 1_000)).toBe(true);
  });
});

describe("a proof as a whole", () => {
  let key: TestKey;
  let jkt: string;
  let nowMs: number;
  let exact: { shard: string; proof: string; useId: string; expiresAt: number }[];
  let objectDown: boolean;
  let checker: ProofChecker;

  beforeAll(async () => {
    key = await newKey("ES256", "k");
    jkt = await thumbprintOf(key);
  });
  beforeEach(() => {
    nowMs = 1_800_000_000_500;
    exact = [];
    objectDown = false;
    checker = newChecker();
  });

  const newChecker = () =>
    new ProofChecker({
      clock: () => nowMs,
      nonces: new DpopNonces(SECRET, () => nowMs),
      seen: new SeenProofs(),
      exact: (of) => ({
        use: async (proof, useId, expiresAt) => {
          if (objectDown) return err(problem("unavailable", "down"));
          const used = exact.some((one) => one.proof === proof);
          exact.push({ shard: proofShard(of), proof, useId, expiresAt });
          return ok(!used);
        },
      }),
    });
  const USE: ProofUse = { method: "GET", url: URL_, nonceNeeded: false, singleUse: "isolate" };
  const proof = (claims = {}) => proofOf(key, { url: URL_, nowSeconds: Math.floor(nowMs / 1000), claims });

  it("is good once in an isolate, and once anywhere where that is asked for", async () => {
    const one = await proof({ jti: "one" });
    expect(await checker.check(one, USE)).toEqual(ok({ jkt }));
    expect(await checker.check(one, USE)).toEqual(err("replayed"));
    // Another isolate knows nothing of it; that is what `exact` is for.
    expect(await newChecker().check(one, USE)).toEqual(ok({ jkt }));
    expect(exact).toEqual([]);
    const two = await proof({ jti: "two" });
    expect(await newChecker().check(two, { ...USE, singleUse: "exact" })).toEqual(ok({ jkt }));
    expect(await newChecker().check(two, { ...USE, singleUse: "exact" })).toEqual(err("replayed"));
    expect(exact[0]).toMatchObject({ shard: jkt.slice(0, 2), proof: `${jkt}.two`, expiresAt: 1_800_000_061 });
  });

  it("may have the jti of another key's proof", async () => {
    const stranger = await newKey("ES256", "s");
    const theirs = await proofOf(stranger, { url: URL_, nowSeconds: nowMs / 1000, claims: { jti: "same" } });
    expect(await checker.check(theirs, USE)).toMatchObject({ ok: true });
    expect(await checker.check(await proof({ jti: "same" }), USE)).toEqual(ok({ jkt }));
  });

  it("is not used up by a request for which it was not good", async () => {
    const one = await proof();
    expect(await checker.check(one, { ...USE, boundTo: "another" })).toEqual(err("binding"));
    expect(await checker.check(one, { ...USE, nonceNeeded: true })).toEqual(err("nonce"));
    expect(await checker.check(one, { ...USE, method: "POST" })).toEqual(err("method"));
    expect(await checker.check(one, { ...USE, boundTo: jkt })).toEqual(ok({ jkt }));
  });

  it("is remembered by the object until the very end of its life", async () => {
    const early = await proof({ iat: Math.floor(nowMs / 1000) + 15 });
    expect(await checker.check(early, { ...USE, singleUse: "exact" })).toMatchObject({ ok: true });
    const { expiresAt } = exact[0]!;
    nowMs = expiresAt * 1000;
    expect(await newChecker().check(early, USE)).toEqual(err("time"));
  });

  it("is neither good nor bad where single use cannot be told", async () => {
    objectDown = true;
    expect(await checker.check(await proof(), { ...USE, singleUse: "exact" })).toEqual(err("unavailable"));
  });

  it("tells of a nonce only where one is asked for and the proof's is not the newest", async () => {
    const nonce = await checker.currentNonce();
    const needed = { ...USE, nonceNeeded: true };
    expect(await checker.check(await proof({ nonce }), needed)).toEqual(ok({ jkt }));
    nowMs += WINDOW_MS;
    const next = await checker.currentNonce();
    expect(await checker.check(await proof({ nonce }), needed)).toEqual(ok({ jkt, nextNonce: next }));
    expect(await checker.check(await proof({ nonce }), USE)).toEqual(ok({ jkt }));
  });
});
