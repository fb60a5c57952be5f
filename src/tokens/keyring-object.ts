import { DurableObject } from "cloudflare:workers";
import { importJWK, type JWK, SignJWT } from "jose";
import { readConfig } from "../config.ts";
import { epochSeconds, systemClock } from "../platform/clock.ts";
import { Durable, type Swept } from "../platform/durable.ts";
import { newId } from "../platform/ids.ts";
import { consoleLogger, faultText } from "../platform/log.ts";
import type { OutboxRow } from "../platform/outbox.ts";
import { objectPort } from "../platform/rpc.ts";
import { SecretBox } from "../platform/secret-box.ts";
import { fromUtf8, utf8 } from "../protocol/encoding.ts";
import type { KeyPurpose, PublicJwk, PublicKeyRecord } from "../protocol/jwk.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { LiveToken } from "../revocation/live-token.ts";
import type { Receipt } from "../revocation/receipt.ts";
import {
  ACCESS_TOKEN_TYPE,
  accessTokenClaims,
  liveTokenOf,
  type MintedToken,
  type MintInput,
} from "./access-token.ts";
import { KEYRING_MIGRATIONS, KeyringStore, type SigningKeyRow } from "./keyring-store.ts";
import { MINTED_SCHEMA, MintedStore } from "./minted-store.ts";
import { generateSigningKey, SIGNING_ALG } from "./signing-key.ts";

type LogPort = {
  append(entry: { id: string; kind: "keys.changed"; keys: PublicKeyRecord[] }): Promise<Result<Receipt>>;
};

type DirectoryPort = { putTokens(tokens: LiveToken[]): Promise<Result<null>> };

/** A key as operators see it. */
export type KeyInfo = {
  kid: string;
  purpose: KeyPurpose;
  alg: string;
  created_at: number;
  published_at?: number;
};

const LANE = "log";
const PURPOSES: readonly KeyPurpose[] = ["access_token", "assertion"];
/** Minted tokens wait this long for others, so that the directory takes at most one call a second. */
const HAND_OVER_INTERVAL_MS = 1_000;
const MAX_HANDED_OVER = 2_000;
/** What is signed within this time is recorded by one commit. */
const RECORD_WINDOW_MS = 1;

/**
 * The signing keys of the deployment (`main`). A key is made on first use, stored wrapped, and signs nothing
 * before the log has taken its public half. Access tokens are signed in here; their key never leaves. Each is
 * recorded before it leaves, and the directory is told of it within about a second.
 */
export class KeyringObject extends DurableObject<Env> {
  readonly #clock = systemClock;
  readonly #store: KeyringStore;
  readonly #durable: Durable;
  readonly #log: LogPort;
  readonly #minted: MintedStore;
  readonly #directory: DirectoryPort;
  readonly #imported = new Map<string, CryptoKey>();
  /** Signed and not yet recorded: their mints wait for {@link #recording}. */
  readonly #unrecorded: LiveToken[] = [];
  #recording: Promise<void> | undefined;
  /** A row in the outbox is known to cover what is minted from now on. */
  #announced = false;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = new KeyringStore(ctx.storage.sql);
    this.#minted = new MintedStore(ctx.storage.sql);
    this.#log = objectPort<LogPort>(env.LOG, "main", { log: consoleLogger });
    this.#directory = objectPort<DirectoryPort>(env.DIRECTORY, "main", { log: consoleLogger });
    this.#durable = new Durable(ctx, {
      clock: this.#clock,
      log: consoleLogger,
      migrations: [...KEYRING_MIGRATIONS, MINTED_SCHEMA],
      deliver: {
        "log.append": (row) => this.#publish(row),
        "directory.tokens": () => this.#handOver(),
      },
    });
  }

  /** Signs an access token (RFC 9068) and records it; the record is durable before the answer leaves. */
  async mint(input: MintInput): Promise<Result<MintedToken>> {
    const config = readConfig(this.env as unknown as Record<string, unknown>);
    if (!config.ok) return err(problem("misconfigured", "The deployment is not configured; see readyz."));
    const row = await this.#signingKey("access_token");
    if (!row.ok) return row;
    const key = await this.#import(row.value);
    if (!key.ok) return key;
    const now = epochSeconds(this.#clock());
    const claims = accessTokenClaims(input, config.value.issuer, now);
    if (!claims.ok) return claims;
    const accessToken = await new SignJWT(claims.value)
      .setProtectedHeader({ alg: SIGNING_ALG, typ: ACCESS_TOKEN_TYPE, kid: row.value.kid })
      .sign(key.value);
    await this.#record(liveTokenOf(claims.value, row.value.kid));
    const expiresAt = claims.value.exp as number;
    return ok({ accessToken, jti: input.jti, expiresAt, expiresInSeconds: expiresAt - now });
  }

  /** Tells the directory of every token that was minted before this call. */
  async flushMinted(): Promise<Result<null>> {
    try {
      await this.#handOver();
      return ok(null);
    } catch (fault) {
      return err(problem("unavailable", `The directory did not take the newest tokens: ${faultText(fault)}`));
    }
  }

  /** The private key with which isolates sign assertions for origins; it signs nothing else. */
  async assertionKey(): Promise<Result<{ kid: string; alg: string; jwk: JWK }>> {
    const row = await this.#signingKey("assertion");
    if (!row.ok) return row;
    const jwk = await this.#unwrap(row.value);
    return jwk.ok ? ok({ kid: row.value.kid, alg: SIGNING_ALG, jwk: jwk.value }) : jwk;
  }

  /** The public keys (RFC 7517 §5), made first where there are none. */
  async jwks(): Promise<Result<{ keys: PublicJwk[] }>> {
    for (const purpose of PURPOSES) {
      const key = await this.#signingKey(purpose);
      if (!key.ok) return key;
    }
    return ok({ keys: this.#store.all().map((key) => key.publicJwk) });
  }

  /** Whether there is a key for each purpose, and the deployment's secret opens it. */
  async ready(): Promise<Result<null>> {
    for (const purpose of PURPOSES) {
      const row = await this.#signingKey(purpose);
      const key = row.ok ? await this.#import(row.value) : row;
      if (!key.ok) return key;
    }
    return ok(null);
  }

  keys(): Result<KeyInfo[]> {
    return ok(
      this.#store.all().map(({ kid, purpose, publicJwk, createdAt, publishedAt }) => {
        const info: KeyInfo = { kid, purpose, alg: publicJwk.alg, created_at: createdAt };
        return publishedAt === undefined ? info : { ...info, published_at: publishedAt };
      }),
    );
  }

  override alarm(): Promise<void> {
    return this.#durable.alarm();
  }

  async sweep(): Promise<Result<Swept>> {
    return ok(await this.#durable.sweep());
  }

  /** The current key of a purpose, made on first use, known to the log. */
  async #signingKey(purpose: KeyPurpose): Promise<Result<SigningKeyRow>> {
    if (!this.#store.current(purpose)) await this.#create(purpose);
    if (this.#store.current(purpose)?.publishedAt === undefined) await this.#durable.flush(LANE);
    const key = this.#store.current(purpose);
    if (key?.publishedAt !== undefined) return ok(key);
    return err(
      problem("unavailable", "The new signing key is not yet published to the log. Try again shortly."),
    );
  }

  async #create(purpose: KeyPurpose): Promise<void> {
    const { kid, publicJwk, privateJwk } = await generateSigningKey();
    const privateSealed = await this.#box().seal(utf8(JSON.stringify(privateJwk)), kid);
    // Two first uses may both come this far: the one that commits first has made the key.
    if (this.#store.current(purpose)) return;
    this.#durable.commit(() => {
      this.#store.insert({ kid, purpose, publicJwk, privateSealed, createdAt: epochSeconds(this.#clock()) });
      const keys = this.#store
        .all()
        .map((key) => ({ kid: key.kid, purpose: key.purpose, jwk: key.publicJwk }));
      const id = newId("log", this.#clock());
      this.#durable.outbox.put({
        id,
        lane: LANE,
        kind: "log.append",
        payload: { id, kind: "keys.changed", keys },
      });
    });
  }

  async #publish(row: OutboxRow): Promise<void> {
    const entry = row.payload as { id: string; kind: "keys.changed"; keys: PublicKeyRecord[] };
    const receipt = await this.#log.append(entry);
    if (!receipt.ok) throw new Error(receipt.error.detail);
    this.#store.markPublished(
      entry.keys.map((key) => key.kid),
      epochSeconds(this.#clock()),
    );
  }

  /** Resolves once the token is recorded, together with those that are signed at the same time: one commit for all. */
  #record(token: LiveToken): Promise<void> {
    this.#unrecorded.push(token);
    this.#recording ??= sleep(RECORD_WINDOW_MS).then(() => this.#writeRecords());
    return this.#recording;
  }

  #writeRecords(): void {
    this.#recording = undefined;
    const tokens = this.#unrecorded.splice(0);
    if (this.#announced) {
      this.#minted.add(tokens);
      return;
    }
    this.#durable.commit(() => {
      this.#minted.add(tokens);
      const row = { id: "directory.tokens", lane: "directory", kind: "directory.tokens", payload: null };
      this.#durable.outbox.put(row, this.#clock() + HAND_OVER_INTERVAL_MS);
    });
    this.#announced = true;
  }

  async #handOver(): Promise<void> {
    // From here on a token announces itself: the row that is being delivered does not cover it.
    this.#announced = false;
    this.#minted.deleteEnded(epochSeconds(this.#clock()));
    const upTo = this.#minted.lastSeq();
    const next = () => this.#minted.oldest(upTo, MAX_HANDED_OVER);
    for (let batch = next(); batch; batch = next()) {
      const taken = await this.#directory.putTokens(batch.tokens);
      if (!taken.ok) throw new Error(taken.error.detail);
      this.#minted.deleteUpTo(batch.lastSeq);
    }
  }

  async #import(row: SigningKeyRow): Promise<Result<CryptoKey>> {
    const known = this.#imported.get(row.kid);
    if (known) return ok(known);
    const jwk = await this.#unwrap(row);
    if (!jwk.ok) return jwk;
    const key = (await importJWK(jwk.value, SIGNING_ALG, { extractable: false })) as CryptoKey;
    this.#imported.set(row.kid, key);
    return ok(key);
  }

  async #unwrap(row: SigningKeyRow): Promise<Result<JWK>> {
    const bytes = await this.#box().open(row.privateSealed, row.kid);
    const text = bytes && fromUtf8(bytes);
    if (text) return ok(JSON.parse(text));
    const detail = `The signing key ${row.kid} cannot be unwrapped: PORTCULLIS_SECRET is not the one it was wrapped with.`;
    return err(problem("misconfigured", detail));
  }

  #box(): SecretBox {
    return new SecretBox(this.env.PORTCULLIS_SECRET, "signing-key");
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
