import type { Result } from "../../../src/protocol/result.ts";
import type { LogEntry } from "../../../src/replication/entry.ts";
import type { DenialInput } from "../../../src/revocation/denied-token.ts";
import type { BatchOutcome, DenialBatch } from "../../../src/revocation/denylist-port.ts";
import { defaultExpiry, type Revocation } from "../../../src/revocation/rule.ts";
import type { ControlPlane } from "./control-plane.ts";
import type { Ledger, SimRule, SimToken, Submission } from "./ledger.ts";
import { AUDIENCE, ISSUER, POLICIES } from "./sim-policy.ts";
import { makeKey, type SimKey, signAccessToken } from "./sync-crypto.ts";
import type { VirtualTime } from "./virtual-time.ts";

const KEY_POOL: readonly SimKey[] = Array.from({ length: 12 }, (_, i) => makeKey(`key-${i}`));
const RETRY_MS = 1_000;
const ACTOR = "operator";

export type NewRule = Pick<SimRule, "match" | "issuedBefore" | "expiresAt">;
/** A line of an import: by its id alone, or by issuer and id. */
export type NewDenial = { token: SimToken; byIssuer: boolean; expiresAt?: number };

/** Whoever changes authority: mints, revokes, lifts, rotates, imports. Writes everything down in the ledger. */
export class Operator {
  readonly #time: VirtualTime;
  readonly #control: ControlPlane;
  readonly #ledger: Ledger;
  readonly #note: (line: string) => void;
  readonly #keys: SimKey[] = [];
  /** Removals under way: what is imported meanwhile may come before them or after. */
  readonly #removals = new Map<Submission, SimRule["match"]>();
  #publishing: Promise<void> = Promise.resolve();
  #version = 0;
  #count = 0;

  constructor(time: VirtualTime, control: ControlPlane, ledger: Ledger, note: (line: string) => void) {
    this.#time = time;
    this.#control = control;
    this.#ledger = ledger;
    this.#note = note;
  }

  mint(subject: number, client: number, grant: number | undefined, ttlSeconds: number): void {
    const key = this.#keys.at(-1)!;
    const now = this.#nowSeconds();
    const claims = {
      iss: ISSUER,
      sub: `demo|user-${subject}`,
      aud: AUDIENCE,
      client_id: `cli_${client}`,
      iat: now,
      nbf: now,
      exp: now + ttlSeconds,
      jti: this.#newId("tok"),
      scope: "orders:read",
      ...(grant === undefined ? {} : { grant: `grt_${grant}`, sid: `ses_${grant}` }),
    };
    const jwt = signAccessToken(key, claims);
    this.#ledger.tokens.push({ jwt, kid: key.record.kid, claims, expiresAt: claims.exp });
    this.#note(`mint ${claims.jti} by ${key.record.kid} for ${claims.sub} ${claims.grant ?? ""}`);
  }

  revoke({ match, issuedBefore, expiresAt }: NewRule): void {
    const sent = this.#enter({
      match,
      ...(issuedBefore === undefined ? {} : { issuedBefore }),
      ...end(expiresAt),
    });
    const now = this.#nowSeconds();
    // As the interface does.
    const ends = expiresAt ?? defaultExpiry(match, issuedBefore, now);
    const rule: Revocation = {
      id: sent.id,
      match,
      reason: "simulated",
      actor: ACTOR,
      created_at: now,
      ...(issuedBefore === undefined ? {} : { issued_before: issuedBefore }),
      ...(ends === undefined ? {} : { expires_at: ends }),
    };
    void this.#send(sent, { id: sent.id, kind: "revocation.added", rule });
  }

  lift(rule: SimRule): void {
    const sent: Submission = { sentMs: this.#time.nowMs };
    rule.lifts.push(sent);
    const entry = { id: this.#newId("log"), kind: "revocation.lifted", revocation_id: rule.id } as const;
    void this.#send(sent, { ...entry, actor: ACTOR });
  }

  /** Denies tokens by name, among others that nobody has; `waits` for the receipt or goes away. */
  import(denials: readonly NewDenial[], others: number, waits: boolean): void {
    const sent = denials.map(({ token, byIssuer, expiresAt }) => {
      const { iss, jti } = token.claims;
      const match = byIssuer ? { iss, jti } : { jti };
      const rule = this.#enter({ match, bulk: { stored: false }, expiresAt: expiresAt ?? token.expiresAt });
      for (const [lift, name] of this.#removals) if (isSame(name, match)) rule.lifts.push(maybe(lift));
      return rule;
    });
    const strangers = Array.from({ length: others }, (): DenialInput => ({ jti: this.#newId("other") }));
    const lines = sent.map(({ match, expiresAt }) => ({ ...nameOf(match), expires_at: expiresAt! }));
    const batch = { tokens: [...lines, ...strangers], actor: ACTOR, publish: true };
    void this.#change("addBatch", batch, sent, waits, (rule) => {
      rule.bulk!.stored = true;
    });
  }

  /** Takes the names off the list again. */
  remove(rule: SimRule, waits: boolean): void {
    const lift: Submission = { sentMs: this.#time.nowMs };
    for (const { bulk, match, lifts } of this.#ledger.rules) {
      if (bulk && isSame(match, rule.match)) lifts.push(bulk.stored ? lift : maybe(lift));
    }
    this.#removals.set(lift, rule.match);
    const batch = { tokens: [nameOf(rule.match)], actor: ACTOR, publish: true };
    const over = () => this.#removals.delete(lift);
    void this.#change("removeBatch", batch, [lift], waits, over).then(over);
  }

  /** A new signing key; the one before stays published or not, and a leaked one is revoked by a rule. */
  rotate(keepOld: boolean, leaked: boolean): void {
    this.#publish(async () => {
      const old = this.#keys.at(-1);
      const key = KEY_POOL[this.#keys.length];
      if (!key) return;
      const keys = [...(old && keepOld ? [old] : []), key].map(({ record }) => record);
      const sent = { sentMs: this.#time.nowMs, kids: keys.map(({ kid }) => kid) };
      this.#ledger.keySets.push(sent);
      await this.#sendUntilAcked(sent, { id: this.#newId("log"), kind: "keys.changed", keys });
      this.#keys.push(key);
      if (old && leaked) this.revoke({ match: { kid: old.record.kid } });
    });
  }

  changePolicy(variant: number): void {
    this.#publish(async () => {
      const version = ++this.#version;
      const document = POLICIES[variant % POLICIES.length]!;
      const entry: LogEntry = { id: this.#newId("log"), kind: "policy.activated", version, document };
      const sent = { sentMs: this.#time.nowMs, document };
      this.#ledger.policies.push(sent);
      await this.#sendUntilAcked(sent, entry);
    });
  }

  /** What was stored but not waited for is published by itself; asks for the receipt of it all. */
  async settle(): Promise<boolean> {
    const status = await this.#control.toDenylist.status();
    if (!status.ok || status.value.published_changes < status.value.changes) return false;
    const state = await this.#control.toDenylist.publish();
    if (!state.ok || !state.value.done) return false;
    const { receipt } = state.value;
    for (const rule of this.#ledger.rules) {
      if (rule.bulk?.stored && receipt) rule.acked ??= { atMs: this.#time.nowMs, receipt };
    }
    return true;
  }

  #enter(rule: Omit<SimRule, "id" | "sentMs" | "lifts">): SimRule {
    const sent: SimRule = { ...rule, id: this.#newId("rev"), sentMs: this.#time.nowMs, lifts: [] };
    this.#ledger.rules.push(sent);
    return sent;
  }

  async #send(sent: Submission, entry: LogEntry): Promise<boolean> {
    this.#note(
      `send ${JSON.stringify(entry.kind === "policy.activated" ? { ...entry, document: "…" } : entry)}`,
    );
    const receipt = await this.#control.toLog.append(entry);
    if (!receipt.ok) return false;
    sent.acked ??= { atMs: this.#time.nowMs, receipt: receipt.value };
    this.#note(`acked ${JSON.stringify(receipt.value)}`);
    return true;
  }

  /** As an outbox does. */
  async #sendUntilAcked(sent: Submission, entry: LogEntry): Promise<void> {
    while (!(await this.#send(sent, entry))) await this.#time.sleep(RETRY_MS);
  }

  /** One after the other, as one lane of an outbox. */
  #publish(work: () => Promise<void>): void {
    this.#publishing = this.#publishing.then(work);
  }

  async #change<S extends Submission>(
    method: "addBatch" | "removeBatch",
    batch: DenialBatch,
    sent: readonly S[],
    waits: boolean,
    stored: (each: S) => unknown,
  ): Promise<void> {
    this.#note(`${method} ${JSON.stringify(batch.tokens.slice(0, 20))}${waits ? "" : ", and goes away"}`);
    const done: Result<BatchOutcome> = await this.#control.toDenylist[method](batch);
    if (!done.ok) return;
    for (const each of sent) stored(each);
    this.#note(`${method} is done: ${JSON.stringify(done.value)}`);
    let upTo: number | undefined;
    while (waits) {
      const state = await this.#control.toDenylist.publish(upTo);
      if (state.ok) upTo = state.value.up_to;
      if (state.ok && state.value.done) {
        const { receipt } = state.value;
        for (const each of sent) if (receipt) each.acked ??= { atMs: this.#time.nowMs, receipt };
        this.#note(`published ${JSON.stringify(receipt)}`);
        return;
      }
      await this.#time.sleep(RETRY_MS);
    }
  }

  #nowSeconds(): number {
    return Math.floor(this.#time.nowMs / 1000);
  }

  #newId(prefix: string): string {
    return `${prefix}_${this.#count++}`;
  }
}

function end(expiresAt: number | undefined): Pick<SimRule, "expiresAt"> {
  return expiresAt === undefined ? {} : { expiresAt };
}

/** A lift that may have come first: nobody can tell from outside. */
function maybe({ sentMs }: Submission): Submission {
  return { sentMs };
}

function isSame(a: SimRule["match"], b: SimRule["match"]): boolean {
  return a.jti === b.jti && a.iss === b.iss;
}

function nameOf({ iss, jti }: SimRule["match"]): DenialInput {
  return { jti: jti ?? "", ...(iss === undefined ? {} : { iss }) };
}
