import { type JWK, SignJWT } from "jose";
import { readConfig } from "../config.ts";
import { auditSink } from "../platform/audit-outbox.ts";
import { CausedObject } from "../platform/caused-object.ts";
import { epochSeconds, systemClock } from "../platform/clock.ts";
import { Durable, type Swept } from "../platform/durable.ts";
import { newId } from "../platform/ids.ts";
import { consoleLogger, faultText } from "../platform/log.ts";
import { objectPort } from "../platform/rpc.ts";
import { SecretBox } from "../platform/secret-box.ts";
import type { PolicyVersion } from "../policy/document.ts";
import type { Json } from "../protocol/json.ts";
import type { PublicJwk } from "../protocol/jwk.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { SET_TYPE } from "../protocol/security-event.ts";
import type { SigningAlgorithm } from "../protocol/signature-algorithm.ts";
import type { STATUS_LIST_TYPE } from "../protocol/status-list.ts";
import type { LiveToken } from "../revocation/live-token.ts";
import type { Receipt } from "../revocation/receipt.ts";
import type { EventType, WebhookEvent } from "../webhooks/event.ts";
import { publishEvent, publishPorts } from "../webhooks/publish.ts";
import {
  ACCESS_TOKEN_TYPE,
  accessTokenClaims,
  liveTokenOf,
  type MintedToken,
  type MintInput,
} from "./access-token.ts";
import { overdueEvent } from "./key-event.ts";
import { KeyLifecycle, type KeysEntry, type Replacement } from "./key-lifecycle.ts";
import { keyState, PURPOSES } from "./key-ring.ts";
import { KeySettings } from "./key-settings.ts";
import {
  type KeyInfo,
  type KeyReplacement,
  keyAges,
  type OverdueRotation,
  type PlannedRotation,
} from "./key-view.ts";
import { KEYRING_MIGRATIONS, KeyringStore, type SigningKeyRow } from "./keyring-store.ts";
import { MINTED_SCHEMA, MintedStore } from "./minted-store.ts";
import { MintedTokens } from "./minted-tokens.ts";
import { WrappedKeys } from "./wrapped-keys.ts";

type LogPort = { append(entry: KeysEntry): Promise<Result<Receipt>> };
type DirectoryPort = { putTokens(tokens: LiveToken[]): Promise<Result<null>> };
type RegistryPort = { activePolicy(): Promise<Result<PolicyVersion>> };

/** Kinds that say what they are in their `typ`, so that none is taken for another (RFC 8725 §3.11). */
export type Statement = {
  typ: typeof SET_TYPE | typeof STATUS_LIST_TYPE;
  claims: { [member: string]: Json };
  until: number;
};

/** A key may be compromised while it signs. */
const MAX_SIGNATURES = 3;

/**
 * The signing keys of the deployment (`main`). A key is made on first use, stored wrapped, and signs nothing
 * before the log has taken its public half; later ones are published ahead and take over by the alarm. Access
 * tokens are signed in here; their key never leaves. Each is recorded before it leaves.
 */
export class KeyringObject extends CausedObject {
  readonly #clock = systemClock;
  readonly #store: KeyringStore;
  readonly #durable: Durable;
  readonly #keys: WrappedKeys;
  readonly #settings: KeySettings;
  readonly #lifecycle: KeyLifecycle;
  readonly #minted: MintedTokens;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const clock = this.#clock;
    const log = consoleLogger;
    const logPort = objectPort<LogPort>(env.LOG, "main", { log });
    const registry = objectPort<RegistryPort>(env.REGISTRY, "main", { log });
    const directory = objectPort<DirectoryPort>(env.DIRECTORY, "main", { log });
    const store = new KeyringStore(ctx.storage.sql);
    const durable = new Durable(ctx, {
      clock,
      log,
      migrations: [...KEYRING_MIGRATIONS, MINTED_SCHEMA],
      deliver: {
        "log.append": (row) => this.#lifecycle.publish(row),
        "directory.tokens": () => this.#minted.handOver(),
        "webhook.publish": (row) =>
          publishEvent(row.payload as WebhookEvent & { type: EventType }, publishPorts(env)),
      },
      audit: auditSink(env, () => "keyring"),
      nextDueMs: () => this.#lifecycle.nextDueMs(),
      onDue: () => this.#onDue(),
    });
    const keys = new WrappedKeys(new SecretBox(env, "signing-key"), store);
    const settings = new KeySettings({ clock, store, policy: () => registry.activePolicy() });
    this.#store = store;
    this.#durable = durable;
    this.#keys = keys;
    this.#settings = settings;
    const append = (entry: KeysEntry) => logPort.append(entry);
    this.#lifecycle = new KeyLifecycle({ clock, log, store, durable, keys, settings, append });
    this.#minted = new MintedTokens({
      clock,
      store: new MintedStore(ctx.storage.sql),
      durable,
      directory,
      onRecorded: (tokens) => this.#noteUse(tokens),
    });
  }

  /** Signs an access token (RFC 9068) and records it; the record is durable before the answer leaves. */
  async mint(input: MintInput): Promise<Result<MintedToken>> {
    const config = readConfig(this.env);
    if (!config.ok) return err(problem("misconfigured", "The deployment is not configured; see readyz."));
    for (let round = 0; round < MAX_SIGNATURES; round++) {
      const row = await this.#lifecycle.signingKey("access_token");
      if (!row.ok) return row;
      const minted = await this.#sign(input, row.value, config.value.issuer);
      if (!minted.ok || !this.#isCompromised(row.value.kid)) return minted;
    }
    return err(problem("unavailable", "The signing key was replaced just now. Try again."));
  }

  /**
   * Signs what is no access token, with the key of access tokens under a `typ` of its own. The key stays published
   * until `until`, epoch seconds.
   */
  async signStatement({ typ, claims, until }: Statement): Promise<Result<string>> {
    for (let round = 0; round < MAX_SIGNATURES; round++) {
      const row = await this.#lifecycle.signingKey("access_token");
      const key = row.ok ? await this.#keys.import(row.value) : row;
      if (!row.ok || !key.ok) return (row.ok ? key : row) as Result<never>;
      const { kid, publicJwk } = row.value;
      const signed = await new SignJWT(claims)
        .setProtectedHeader({ alg: publicJwk.alg, typ, kid })
        .sign(key.value);
      if (this.#isCompromised(kid)) continue;
      this.#store.extendUse(kid, until);
      return ok(signed);
    }
    return err(problem("unavailable", "The signing key was replaced just now. Try again."));
  }

  /** Tells the directory of every token that was minted before this call. */
  async flushMinted(): Promise<Result<null>> {
    try {
      await this.#minted.handOver();
      return ok(null);
    } catch (fault) {
      return err(problem("unavailable", `The directory did not take the newest tokens: ${faultText(fault)}`));
    }
  }

  /** The private key with which isolates sign assertions for origins; it signs nothing else. */
  async assertionKey(): Promise<Result<{ kid: string; alg: SigningAlgorithm; jwk: JWK }>> {
    const row = await this.#lifecycle.signingKey("assertion");
    if (!row.ok) return row;
    const jwk = await this.#keys.unwrap(row.value);
    return jwk.ok ? ok({ kid: row.value.kid, alg: row.value.publicJwk.alg, jwk: jwk.value }) : jwk;
  }

  /** The public keys that verify (RFC 7517 §5), made first where there are none. */
  async jwks(): Promise<Result<{ keys: PublicJwk[] }>> {
    const signing = await Promise.all(PURPOSES.map((purpose) => this.#lifecycle.signingKey(purpose)));
    const known = this.#store.living().filter((key) => key.publishedAt !== undefined);
    // Where nothing more is signed, what was signed still verifies; an empty set would be kept by caches.
    const fault = signing.find((key) => !key.ok);
    if (fault && known.length === 0) return fault as Result<never>;
    return ok({ keys: known.map((key) => key.publicJwk) });
  }

  /** Whether there is a key for each purpose that the deployment's secret opens, and which rotations are overdue. */
  async ready(): Promise<Result<{ overdue: OverdueRotation[] }>> {
    for (const purpose of PURPOSES) {
      const row = await this.#lifecycle.signingKey(purpose);
      const key = row.ok ? await this.#keys.import(row.value) : row;
      if (!key.ok) return key;
    }
    return ok({ overdue: this.#lifecycle.overdue() });
  }

  /** All keys, also those that are over. */
  keys(): Result<KeyInfo[]> {
    return ok(this.#lifecycle.list());
  }

  /** A planned rotation now, as far as every verifier can know the next key. Idempotent by its id. */
  rotate(id: string): Promise<Result<PlannedRotation>> {
    return this.#lifecycle.rotate(id);
  }

  /** Replaces a compromised key at once and denies everything that it signed. Idempotent by the key. */
  replaceKey(replacement: Replacement): Promise<Result<KeyReplacement>> {
    return this.#lifecycle.replace(replacement);
  }

  override alarm(): Promise<void> {
    return this.#durable.alarm();
  }

  /** The cron's visit: notices a rotation that the alarm has missed before it makes up for it. */
  async sweep(): Promise<Result<Swept>> {
    await this.#settings.adopt();
    const overdue = this.#lifecycle.overdue();
    this.#tellOverdue(overdue);
    const rewrapped = await this.#keys.rewrap();
    const swept = await this.#durable.sweep();
    const now = epochSeconds(this.#clock());
    const late = Math.max(0, ...overdue.map(({ due_at }) => now - due_at));
    const gauges = {
      ...keyAges(this.#store.living(), now),
      portcullis_key_rotation_overdue_seconds: late,
      'portcullis_previous_secret_values{object="keyring"}': rewrapped,
    };
    return ok({ ...swept, gauges });
  }

  async #onDue(): Promise<void> {
    const due = this.#lifecycle.nextDueMs();
    if (due === undefined || due > this.#clock()) return;
    await this.#settings.adopt();
    await this.#lifecycle.advance();
  }

  async #sign(input: MintInput, row: SigningKeyRow, issuer: string): Promise<Result<MintedToken>> {
    const key = await this.#keys.import(row);
    if (!key.ok) return key;
    const now = epochSeconds(this.#clock());
    const claims = accessTokenClaims(input, issuer, now);
    if (!claims.ok) return claims;
    const accessToken = await new SignJWT(claims.value)
      .setProtectedHeader({ alg: row.publicJwk.alg, typ: ACCESS_TOKEN_TYPE, kid: row.kid })
      .sign(key.value);
    await this.#minted.record(liveTokenOf(claims.value, row.kid));
    const expiresAt = claims.value.exp as number;
    return ok({ accessToken, jti: input.jti, expiresAt, expiresInSeconds: expiresAt - now });
  }

  /** A key verifies until the last token that it signed is over. */
  #noteUse(tokens: readonly LiveToken[]): void {
    const ends = new Map<string, number>();
    for (const { kid, exp } of tokens) ends.set(kid, Math.max(exp, ends.get(kid) ?? 0));
    for (const [kid, end] of ends) this.#store.extendUse(kid, end);
  }

  #isCompromised(kid: string): boolean {
    const key = this.#store.find(kid);
    return !key || keyState(key) === "compromised";
  }

  /** Each rotation that is overdue is told once. */
  #tellOverdue(overdue: readonly OverdueRotation[]): void {
    const told = this.#store.setting<string[]>("overdue_told") ?? [];
    for (const each of overdue) consoleLogger("error", "key.rotation_overdue", each);
    const untold = overdue.filter(({ kid }) => !told.includes(kid));
    if (untold.length === 0) return;
    const nowMs = this.#clock();
    this.#durable.commit(() => {
      this.#store.setSetting(
        "overdue_told",
        overdue.map(({ kid }) => kid),
      );
      for (const each of untold) this.#durable.outbox.put(overdueEvent(each, newId("evt", nowMs), nowMs));
    });
  }
}
