import { DurableObject } from "cloudflare:workers";
import { importJWK, type JWK, SignJWT } from "jose";
import { readConfig } from "../config.ts";
import { epochSeconds, systemClock } from "../platform/clock.ts";
import { Durable } from "../platform/durable.ts";
import { newId } from "../platform/ids.ts";
import { consoleLogger } from "../platform/log.ts";
import type { OutboxRow } from "../platform/outbox.ts";
import { objectPort } from "../platform/rpc.ts";
import { SecretBox } from "../platform/secret-box.ts";
import { fromUtf8, utf8 } from "../protocol/encoding.ts";
import type { KeyPurpose, PublicJwk, PublicKeyRecord } from "../protocol/jwk.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { Receipt } from "../revocation/receipt.ts";
import { ACCESS_TOKEN_TYPE, accessTokenClaims, type MintedToken, type MintInput } from "./access-token.ts";
import { KEYRING_MIGRATIONS, KeyringStore, type SigningKeyRow } from "./keyring-store.ts";
import { generateSigningKey, SIGNING_ALG } from "./signing-key.ts";

type LogPort = {
  append(entry: { id: string; kind: "keys.changed"; keys: PublicKeyRecord[] }): Promise<Result<Receipt>>;
};

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

/**
 * The signing keys of the deployment (`main`). A key is made on first use, stored wrapped, and signs nothing
 * before the log has taken its public half. Access tokens are signed in here; their key never leaves.
 */
export class KeyringObject extends DurableObject<Env> {
  readonly #clock = systemClock;
  readonly #store: KeyringStore;
  readonly #durable: Durable;
  readonly #log: LogPort;
  readonly #imported = new Map<string, CryptoKey>();

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = new KeyringStore(ctx.storage.sql);
    this.#log = objectPort<LogPort>(env.LOG, "main", { log: consoleLogger });
    this.#durable = new Durable(ctx, {
      clock: this.#clock,
      log: consoleLogger,
      migrations: KEYRING_MIGRATIONS,
      deliver: { "log.append": (row) => this.#publish(row) },
    });
  }

  /** Signs an access token (RFC 9068). */
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
    const expiresAt = claims.value.exp as number;
    return ok({ accessToken, jti: input.jti, expiresAt, expiresInSeconds: expiresAt - now });
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

  async sweep(): Promise<Result<null>> {
    await this.#durable.sweep();
    return ok(null);
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
