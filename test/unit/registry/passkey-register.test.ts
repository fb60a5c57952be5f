import { beforeEach, describe, expect, it } from "vitest";
import type { Confirmed } from "../../../src/platform/passkey-answer.ts";
import { PasskeyRegister } from "../../../src/registry/passkey-register.ts";
import { PASSKEY_SCHEMA } from "../../../src/registry/passkey-store.ts";
import { memorySql } from "../../support/memory-sql.ts";
import { expectValue } from "../../support/remote.ts";
import { SoftwarePasskey } from "../../support/software-passkey.ts";

const SITE = { origin: "https://auth.example.com", rpId: "auth.example.com" };
const ANN = "corp|ann";
const APPROVAL: Confirmed = {
  kind: "access_request.approve",
  access_request_id: "req_1",
  duration_seconds: 600,
};
const REFUSED = { ok: false, error: { code: "passkey_required" } };

let nowMs: number;
let told: unknown[];
let register: PasskeyRegister;
let passkey: SoftwarePasskey;

beforeEach(async () => {
  nowMs = 1_800_000_000_000;
  told = [];
  register = new PasskeyRegister({
    sql: memorySql([PASSKEY_SCHEMA]),
    durable: { commit: (change) => change(() => {}), outbox: { put: (row) => told.push(row.payload) } },
    clock: () => nowMs,
  });
  passkey = await added(ANN);
});

const begin = async (confirms: Confirmed, subject = ANN) =>
  expectValue(await register.begin(subject, confirms)).challenge;

async function added(subject: string): Promise<SoftwarePasskey> {
  const made = await SoftwarePasskey.make(SITE);
  const answer = await made.register(await begin({ kind: "passkey.register" }, subject));
  expectValue(await register.add({ subject, name: "key", answer, site: SITE }));
  return made;
}

async function use(confirms: Confirmed, asked = confirms, { by = passkey, subject = ANN } = {}) {
  const answer = await by.answer(await begin(asked, subject));
  return register.use({ subject, confirms, answer, site: SITE });
}

describe("a passkey", () => {
  it("confirms what its challenge was for, and says which it was", async () => {
    expect(await use(APPROVAL)).toEqual({ ok: true, value: { passkey_id: passkey.id } });
    expect(register.of(ANN)).toMatchObject([{ id: passkey.id, count: 1, last_used_at: nowMs / 1000 }]);
    // In whatever order, and with what is not there left out.
    const same = {
      access_request_id: "req_1",
      scope: undefined,
      duration_seconds: 600,
      kind: APPROVAL.kind,
    } as Confirmed;
    expect(await use(APPROVAL, same)).toMatchObject({ ok: true });
  });

  it.each<[string, Confirmed]>([
    ["another request", { ...APPROVAL, access_request_id: "req_2" } as Confirmed],
    ["a longer time", { ...APPROVAL, duration_seconds: 601 } as Confirmed],
    ["all that was asked for", { kind: "access_request.approve", access_request_id: "req_1" }],
    ["an extension", { ...APPROVAL, extension: "ext_1" } as Confirmed],
    ["a scope", { ...APPROVAL, scope: "a" } as Confirmed],
    ["a revocation", { kind: "revocation.confirm", revocation_id: "req_1" }],
    ["another passkey", { kind: "passkey.add" }],
  ])("does not confirm %s with it", async (_what, confirms) => {
    expect(await use(confirms, APPROVAL)).toMatchObject(REFUSED);
  });

  it("answers each challenge once, also after an answer that was wrong", async () => {
    const challenge = await begin(APPROVAL);
    const good = await passkey.answer(challenge);
    const call = { subject: ANN, confirms: APPROVAL, answer: good, site: SITE };
    const wrong = { ...good, response: { ...good.response, signature: "AAAA" } };
    expect(await register.use({ ...call, answer: wrong })).toMatchObject(REFUSED);
    expect(await register.use(call)).toMatchObject(REFUSED);
    const again = { ...call, answer: await passkey.answer(await begin(APPROVAL)) };
    const both = await Promise.all([register.use(again), register.use(again)]);
    expect(both.filter(({ ok }) => ok)).toHaveLength(1);
  });

  it("is too late after five minutes, and good just before", async () => {
    const [early, late] = [await begin(APPROVAL), await begin(APPROVAL)];
    const call = { subject: ANN, confirms: APPROVAL, site: SITE };
    nowMs += 299_000;
    expect(await register.use({ ...call, answer: await passkey.answer(early) })).toMatchObject({ ok: true });
    nowMs += 1_000;
    expect(await register.use({ ...call, answer: await passkey.answer(late) })).toMatchObject(REFUSED);
  });

  it("of somebody else confirms nothing, nor does another's challenge", async () => {
    const bobs = await added("corp|bob");
    expect(await use(APPROVAL, APPROVAL, { by: bobs })).toMatchObject(REFUSED);
    const challenge = await begin(APPROVAL, "corp|bob");
    const answer = await passkey.answer(challenge);
    expect(await register.use({ subject: ANN, confirms: APPROVAL, answer, site: SITE })).toMatchObject(
      REFUSED,
    );
  });

  it("tells the directory whose they are, when one comes and when all go", async () => {
    expect(told).toEqual([ANN]);
    await use(APPROVAL, APPROVAL);
    expect(told).toEqual([ANN]);
    register.reset(ANN);
    expect(told).toEqual([ANN, ANN]);
  });

  it("is needed first: nobody without one gets a challenge", async () => {
    expect(await register.begin("corp|new", APPROVAL)).toMatchObject(REFUSED);
    expect(await register.begin("corp|new", { kind: "passkey.add" })).toMatchObject(REFUSED);
  });

  it("leaves at most ten challenges of a person open", async () => {
    const first = await begin(APPROVAL);
    for (let i = 0; i < 10; i++) await begin(APPROVAL);
    const call = { subject: ANN, confirms: APPROVAL, site: SITE };
    expect(await register.use({ ...call, answer: await passkey.answer(first) })).toMatchObject(REFUSED);
  });
});

describe("a further passkey", () => {
  const adding = async (proof?: Awaited<ReturnType<SoftwarePasskey["answer"]>>) => {
    const second = await SoftwarePasskey.make(SITE);
    const answer = await second.register(await begin({ kind: "passkey.register" }));
    return register.add({ subject: ANN, name: "second", answer, site: SITE, ...(proof ? { proof } : {}) });
  };

  it("needs one that is there, asked for just that", async () => {
    expect(await adding()).toMatchObject(REFUSED);
    expect(await adding(await passkey.answer(await begin(APPROVAL)))).toMatchObject(REFUSED);
    expect(await adding(await passkey.answer(await begin({ kind: "passkey.add" })))).toMatchObject({
      ok: true,
    });
    expect(register.of(ANN).map(({ name }) => name)).toEqual(["key", "second"]);
  });

  it("is not a second first one, however fast both are sent", async () => {
    const [one, two] = [await SoftwarePasskey.make(SITE), await SoftwarePasskey.make(SITE)];
    const register_ = { kind: "passkey.register" } as const;
    const answers = [
      await one.register(await begin(register_, "corp|eve")),
      await two.register(await begin(register_, "corp|eve")),
    ];
    const calls = answers.map((answer) =>
      register.add({ subject: "corp|eve", name: "k", answer, site: SITE }),
    );
    expect((await Promise.all(calls)).filter(({ ok }) => ok)).toHaveLength(1);
    expect(register.of("corp|eve")).toHaveLength(1);
  });

  it("has an id of its own, and there are at most ten", async () => {
    const answer = await passkey.register(await begin({ kind: "passkey.register" }, "corp|eve"));
    expect(await register.add({ subject: "corp|eve", name: "k", answer, site: SITE })).toMatchObject({
      error: { code: "conflict" },
    });
    const proof = async () => passkey.answer(await begin({ kind: "passkey.add" }));
    for (let i = 0; i < 9; i++) expectValue(await adding(await proof()));
    expect(await adding(await proof())).toMatchObject({ error: { code: "conflict" } });
  });
});

describe("a passkey that goes", () => {
  it("is removed with the word of one that is there, and of its own person", async () => {
    const removal = { kind: "passkey.remove", passkey_id: passkey.id } as const;
    const proof = await passkey.answer(await begin(APPROVAL));
    expect(await register.remove({ subject: ANN, id: passkey.id, proof, site: SITE })).toMatchObject(REFUSED);
    const good = await passkey.answer(await begin(removal));
    expect(
      await register.remove({ subject: "corp|bob", id: passkey.id, proof: good, site: SITE }),
    ).toMatchObject({
      error: { code: "not_found" },
    });
    expect(await register.remove({ subject: ANN, id: passkey.id, proof: good, site: SITE })).toMatchObject({
      ok: true,
    });
    expect(register.of(ANN)).toEqual([]);
  });

  it("is gone after a reset, with every challenge, and its person begins anew", async () => {
    const challenge = await begin(APPROVAL);
    expect(register.reset(ANN)).toEqual({ removed: 1 });
    const call = { subject: ANN, confirms: APPROVAL, answer: await passkey.answer(challenge), site: SITE };
    expect(await register.use(call)).toMatchObject(REFUSED);
    passkey = await added(ANN);
    expect(await use(APPROVAL)).toMatchObject({ ok: true });
  });
});
