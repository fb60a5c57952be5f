import { beforeEach, describe, expect, it } from "vitest";
import type { AuditNote } from "../../../src/platform/audit-outbox.ts";
import { sha256Hex } from "../../../src/protocol/encoding.ts";
import { ok } from "../../../src/protocol/result.ts";
import { ASSERTION_SCHEMA } from "../../../src/registry/assertion-store.ts";
import type { ClientRecord } from "../../../src/registry/client.ts";
import { type Authentication, ClientRegister } from "../../../src/registry/client-register.ts";
import type { RegistryLogEntry } from "../../../src/registry/log-port.ts";
import { RECORD_SCHEMAS } from "../../../src/registry/record-store.ts";
import { hits, type TokenFacts } from "../../../src/revocation/rule.ts";
import { memorySql } from "../../support/memory-sql.ts";

const OPERATOR_SECRET = "b3BlcmF0b3Itc2VjcmV0LW9ubHktZm9yLXRlc3RzLTAx";
const START = 1_700_000_000;
const receipt = { id: "x", seq: 1, accepted_at: 1, effective_by: { strict: 1, bounded: 3, eventual: 61 } };
const client: ClientRecord = {
  id: "cli_1",
  name: "batch",
  auth_method: "client_secret",
  secret_hashes: [await sha256Hex("new"), await sha256Hex("old")],
  grant_types: ["client_credentials"],
  scopes: [],
  roles: [],
  created_at: 1,
  created_by: "operator",
  revision: 1,
};

let nowMs: number;
let entries: RegistryLogEntry[];
let notes: AuditNote[];
let register: ClientRegister;

beforeEach(() => {
  nowMs = START * 1000;
  entries = [];
  notes = [];
  register = new ClientRegister({
    sql: memorySql([...RECORD_SCHEMAS, ASSERTION_SCHEMA]),
    durable: { commit: (change) => change((note) => notes.push(note)) },
    clock: () => nowMs,
    sleep: async (ms) => {
      nowMs += ms;
    },
    operatorSecret: OPERATOR_SECRET,
    enqueue: (entry) => entries.push(entry),
    receiptOf: async (id) => ok({ ...receipt, id }),
  });
  register.create(client);
});

const METHOD = "client_secret_basic" as const;
async function tell(client_id: string, secret: string, over: object = {}): Promise<Authentication> {
  const check = { client_id, secret_hash: await sha256Hex(secret), method: METHOD, address: "192.0.2.1" };
  return register.authenticateSecret({ ...check, ...over });
}

/** A token of the client's, issued at this second. */
const facts = (iat: number): TokenFacts => ({
  ...{ iss: "i", sub: "cli_1", subject: "cli_1", kid: "k", client_id: "cli_1" },
  iat,
});

/** Whether a token that was issued at `iat` is dead, by all that the log was told. */
function isDead(iat: number): boolean {
  const lifted = entries.flatMap((entry) =>
    entry.kind === "revocation.lifted" ? [entry.revocation_id] : [],
  );
  const rules = entries.flatMap((entry) => (entry.kind === "revocation.added" ? [entry.rule] : []));
  return rules.some((rule) => !lifted.includes(rule.id) && hits(rule, facts(iat), nowMs / 1000));
}

describe("a secret", () => {
  it("is accepted while it is one of the client's, with when", async () => {
    expect(await tell("cli_1", "new")).toEqual({ outcome: "accepted", client, at: START });
    expect(await tell("cli_1", "old")).toMatchObject({ outcome: "accepted" });
    expect(await tell("cli_1", "older")).toEqual({ outcome: "refused" });
    expect(await tell("cli_2", "new")).toEqual({ outcome: "refused" });
  });

  it("is the deployment's for the operator", async () => {
    expect(await tell("operator", OPERATOR_SECRET)).toMatchObject({ outcome: "accepted" });
    expect(await tell("operator", "new")).toEqual({ outcome: "refused" });
    expect(await tell("cli_1", OPERATOR_SECRET)).toEqual({ outcome: "refused" });
  });

  it("comes by the method that the client is registered for, which only its holder is told", async () => {
    const post = { ...client, id: "cli_3", auth_method: "client_secret_post" as const };
    register.create(post);
    expect(await tell("cli_3", "new")).toEqual({ outcome: "other_method", registered: "client_secret_post" });
    expect(await tell("cli_3", "wrong")).toEqual({ outcome: "refused" });
    expect(await tell("cli_3", "new", { method: "client_secret_post" })).toMatchObject({
      outcome: "accepted",
    });
    expect(await tell("cli_1", "new", { method: "client_secret_post" })).toMatchObject({
      outcome: "accepted",
    });
  });

  it("that is guessed is not looked at any more, right or wrong, from there and for a while", async () => {
    for (let i = 0; i < 10; i++) await tell("cli_1", "guess");
    expect(await tell("cli_1", "new")).toEqual({ outcome: "locked", wait_seconds: 6 });
    expect(await tell("cli_1", "new", { address: "192.0.2.2" })).toMatchObject({ outcome: "accepted" });
    nowMs += 6_000;
    expect(await tell("cli_1", "new")).toMatchObject({ outcome: "accepted" });
  });

  it("of many guessed at once is looked at ten times", async () => {
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => tell("cli_1", "guess")));
    expect(outcomes.filter(({ outcome }) => outcome === "refused")).toHaveLength(10);
    expect(outcomes.filter(({ outcome }) => outcome === "locked")).toHaveLength(40);
  });

  it("lets requests through at the client's rate, whatever strangers try", async () => {
    for (let i = 0; i < 600; i++) await tell("cli_1", "guess", { address: "198.51.100.7" });
    for (let i = 0; i < 500; i++) expect(await tell("cli_1", "new")).toMatchObject({ outcome: "accepted" });
    expect(await tell("cli_1", "new")).toEqual({ outcome: "busy", wait_seconds: 1 });
    nowMs += 1_000;
    expect(await tell("cli_1", "new")).toMatchObject({ outcome: "accepted" });
  });

  it("that is compromised dies at once, its overlap and what was got with it too", async () => {
    nowMs += 300;
    const changed = await register.replaceSecret("cli_1", await sha256Hex("fresh"), "olivia");
    // The answer, which shows the new secret, comes in the next second.
    expect(nowMs).toBe((START + 1) * 1000);
    expect(changed).toMatchObject({ ok: true, value: { receipt: { id: entries[0]?.id } } });
    expect(await tell("cli_1", "new")).toEqual({ outcome: "refused" });
    expect(await tell("cli_1", "old")).toEqual({ outcome: "refused" });
    // Authenticated before, signed after: the token says when its client authenticated.
    expect(isDead(START)).toBe(true);
    expect(await tell("cli_1", "fresh")).toMatchObject({ outcome: "accepted", at: START + 1 });
    expect(isDead(START + 1)).toBe(false);
    expect(await register.replaceSecret("cli_1", await sha256Hex("fresh"), "olivia")).toEqual(changed);
    expect(entries).toHaveLength(1);
  });
});

describe("a disabled client", () => {
  const set = (disabled: boolean) => register.update({ id: "cli_1", patch: { disabled }, actor: "olivia" });

  it("gets nothing, and all that it has is dead until it is enabled again", async () => {
    const disabled = await set(true);
    expect(disabled).toMatchObject({ ok: true, value: { receipt: { id: entries[0]?.id } } });
    expect(await tell("cli_1", "new")).toEqual({ outcome: "disabled" });
    expect(await tell("cli_1", "guess")).toEqual({ outcome: "refused" });
    expect([isDead(START - 60), isDead(START), isDead(START + 60)]).toEqual([true, true, true]);
    expect(await set(true)).toMatchObject({ ok: true, value: { receipt: { id: entries[0]?.id } } });
    expect(entries).toHaveLength(1);

    nowMs += 60_000;
    expect(await set(false)).toMatchObject({ ok: true, value: { client: { revision: 4 } } });
    expect(await tell("cli_1", "new")).toMatchObject({ outcome: "accepted", at: START + 60 });
    expect([isDead(START), isDead(START + 59), isDead(START + 60)]).toEqual([true, true, false]);
    expect(await set(false)).toMatchObject({ ok: true });
    expect(entries).toHaveLength(3);
  });

  it("stays so when something else of it is changed", async () => {
    await set(true);
    await register.update({ id: "cli_1", patch: { name: "renamed" }, actor: "olivia" });
    expect(await tell("cli_1", "new")).toEqual({ outcome: "disabled" });
  });
});

describe("a change", () => {
  it("is made to the revision that was read", async () => {
    const change = (if_match: number, name: string) =>
      register.update({ id: "cli_1", patch: { name }, if_match, actor: "o" });
    expect(await change(1, "a")).toMatchObject({ ok: true, value: { client: { name: "a", revision: 2 } } });
    expect(await change(1, "b")).toMatchObject({ error: { code: "precondition_failed" } });
    expect(register.find("cli_1")).toMatchObject({ value: { name: "a" } });
    expect(await register.update({ id: "cli_9", patch: {}, actor: "o" })).toMatchObject({
      error: { code: "not_found" },
    });
  });
});

describe("an assertion", () => {
  const keyed = { ...client, id: "cli_k", auth_method: "private_key_jwt" as const, secret_hashes: [] };
  const use = (jti_hash: string, over: object = {}) =>
    register.useAssertion({
      ...{ client_id: "cli_k", address: "192.0.2.1", jti_hash, expires_at: nowMs / 1000 + 60 },
      ...over,
    });

  beforeEach(() => register.create(keyed));

  it("is used once by each client, until it is over", () => {
    expect(use("a")).toMatchObject({ outcome: "accepted", client: { id: "cli_k" } });
    expect(use("a")).toEqual({ outcome: "replayed" });
    expect(use("b")).toMatchObject({ outcome: "accepted" });
    register.create({ ...keyed, id: "cli_l" });
    expect(use("a", { client_id: "cli_l" })).toMatchObject({ outcome: "accepted" });
    nowMs += 59_000;
    expect(use("a")).toEqual({ outcome: "replayed" });
    nowMs += 1_000;
    expect(use("a")).toMatchObject({ outcome: "accepted" });
  });

  it("is for clients with keys, and a secret is not", async () => {
    expect(register.clientForAssertion("cli_k", "here")).toMatchObject({ outcome: "accepted" });
    expect(register.clientForAssertion("cli_1", "here")).toEqual({ outcome: "refused" });
    expect(register.clientForAssertion("cli_9", "here")).toEqual({ outcome: "refused" });
    expect(use("a", { client_id: "cli_1" })).toEqual({ outcome: "refused" });
    expect(await tell("cli_k", "new")).toEqual({ outcome: "refused" });
  });

  it("is not looked at where too many have failed", () => {
    for (let i = 0; i < 10; i++) register.failed("cli_k", "here");
    expect(register.clientForAssertion("cli_k", "here")).toMatchObject({ outcome: "locked" });
    expect(register.clientForAssertion("cli_k", "there")).toMatchObject({ outcome: "accepted" });
  });

  it("of a disabled client is refused, and not used up", async () => {
    await register.update({ id: "cli_k", patch: { disabled: true }, actor: "o" });
    expect(use("a")).toEqual({ outcome: "disabled" });
    await register.update({ id: "cli_k", patch: { disabled: false }, actor: "o" });
    expect(use("a")).toMatchObject({ outcome: "accepted" });
  });

  it("is remembered no more often than the client's rate lets it in", () => {
    let accepted = 0;
    for (let i = 0; i < 700; i++) if (use(`j${i}`).outcome === "accepted") accepted++;
    expect(accepted).toBe(500);
  });
});
