import type { Clock } from "../platform/clock.ts";
import { faultText, type Logger } from "../platform/log.ts";
import { fromUtf8 } from "../protocol/encoding.ts";
import { type Json, parseUniqueObject } from "../protocol/json.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { type IssuerKey, IssuerKeys, type KeySource } from "./issuer-keys.ts";
import type { SharedSecrets } from "./shared-secrets.ts";

export type KeysFault = "unknown_key" | "issuer_keys_unavailable";
export type WaitUntil = (work: Promise<unknown>) => void;

export type RemoteKeysOptions = {
  fetch: (url: string, init: RequestInit) => Promise<Response>;
  clock: Clock;
  log: Logger;
  /** Of issuers that sign with a shared one; absent: there are none. */
  secrets?: SharedSecrets;
  /** Waits in the request's own turn; tests pass their own. */
  sleep?: (ms: number) => Promise<void>;
};

/** Keys older than this are asked for again; until the answer is there, they still verify. */
export const REFRESH_AFTER_MS = 600_000;
/** Keys that could not be renewed for this long verify nothing: 503. */
export const MAX_KEYS_AGE_MS = 3_600_000;
/** After an answer, an unknown `kid` does not ask again for this long. */
export const COOLDOWN_MS = 30_000;
/** After a failure. */
export const RETRY_AFTER_MS = 10_000;
export const FETCH_TIMEOUT_MS = 3_000;
export const MAX_JWKS_BYTES = 64 * 1024;

const POLL_MS = 10;
/** A fetch that takes longer is taken for lost: the request that made it was cancelled. */
const LOCK_MS = FETCH_TIMEOUT_MS + 500;
/** A policy has at most 64 issuers; the rest is room for those of earlier versions. */
const MAX_ISSUERS = 256;

type IssuerState = { keys?: IssuerKeys; fetchedAtMs: number; nextAttemptMs: number; lockedUntilMs: number };

/**
 * The public keys of trusted issuers, kept in the isolate by issuer id and address, so that a key of one
 * issuer is never looked for under another. One fetch at a time for each issuer, however many requests need
 * it; requests share what came, never a promise, as the request that fetches may be cancelled.
 */
export class RemoteKeys {
  readonly #o: RemoteKeysOptions;
  readonly #remote = new Map<string, IssuerState>();
  readonly #inline = new WeakMap<KeySource, IssuerKeys>();

  constructor(options: RemoteKeysOptions) {
    this.#o = options;
  }

  /** The key of this issuer that a header points at. With `waitUntil`, a due renewal does not hold up the request. */
  async find(
    issuer: KeySource,
    kid: string | undefined,
    alg: string,
    waitUntil?: WaitUntil,
  ): Promise<Result<IssuerKey, KeysFault>> {
    if (issuer.secret_ref !== undefined) return this.#sharedSecret(issuer);
    if (issuer.jwks_uri === undefined) return found(await this.#inlineKeys(issuer)?.find(kid, alg));
    const state = this.#stateOf(issuer);
    const known = await this.#usable(state)?.find(kid, alg);
    const due = this.#ageMs(state) > REFRESH_AFTER_MS;
    if (known && !due) return ok(known);
    if (known && waitUntil) {
      if (this.#mayFetch(state)) waitUntil(this.#fetch(issuer.jwks_uri, state));
      return ok(known);
    }
    await this.#renew(issuer.jwks_uri, state);
    const keys = this.#usable(state);
    return keys ? found(await keys.find(kid, alg)) : err("issuer_keys_unavailable");
  }

  /** Whether the key is among the issuer's present keys, and these are recent: the check for a token verified before. */
  holds(issuer: KeySource, key: CryptoKey): boolean {
    if (issuer.secret_ref !== undefined) return this.#o.secrets?.holds(issuer, key) ?? false;
    if (issuer.jwks_uri === undefined) return this.#inlineKeys(issuer)?.has(key) ?? false;
    const state = this.#remote.get(stateKey(issuer));
    return state?.keys !== undefined && this.#ageMs(state) <= REFRESH_AFTER_MS && state.keys.has(key);
  }

  /** Where the deployment lost a secret that the policy names, that is not the client's fault. */
  async #sharedSecret(issuer: KeySource): Promise<Result<IssuerKey, KeysFault>> {
    const key = await this.#o.secrets?.find(issuer);
    if (key) return ok(key);
    this.#o.log("error", "issuer_secret.missing", { issuer: issuer.id, secret_ref: issuer.secret_ref });
    return err("issuer_keys_unavailable");
  }

  #inlineKeys(issuer: KeySource): IssuerKeys | undefined {
    const known = this.#inline.get(issuer);
    if (known) return known;
    const keys = IssuerKeys.read(issuer.jwks as Json | undefined);
    if (keys) this.#inline.set(issuer, keys);
    return keys;
  }

  #stateOf(issuer: KeySource): IssuerState {
    const key = stateKey(issuer);
    let state = this.#remote.get(key);
    if (!state) {
      const never = Number.NEGATIVE_INFINITY;
      state = { fetchedAtMs: never, nextAttemptMs: never, lockedUntilMs: never };
      const oldest = this.#remote.keys().next();
      if (this.#remote.size >= MAX_ISSUERS && !oldest.done) this.#remote.delete(oldest.value);
      this.#remote.set(key, state);
    }
    return state;
  }

  #ageMs(state: IssuerState): number {
    return this.#o.clock() - state.fetchedAtMs;
  }

  #usable(state: IssuerState): IssuerKeys | undefined {
    return this.#ageMs(state) <= MAX_KEYS_AGE_MS ? state.keys : undefined;
  }

  #mayFetch(state: IssuerState): boolean {
    const now = this.#o.clock();
    return now >= state.nextAttemptMs && now >= state.lockedUntilMs;
  }

  /** Fetches, or waits for the request that is fetching; does nothing within the cooldown. */
  async #renew(uri: string, state: IssuerState): Promise<void> {
    const sleep = this.#o.sleep ?? ((ms) => new Promise((resolve) => setTimeout(resolve, ms)));
    while (this.#o.clock() < state.lockedUntilMs) await sleep(POLL_MS);
    if (this.#mayFetch(state)) await this.#fetch(uri, state);
  }

  async #fetch(uri: string, state: IssuerState): Promise<void> {
    const askedAtMs = this.#o.clock();
    state.lockedUntilMs = askedAtMs + LOCK_MS;
    try {
      const keys = IssuerKeys.read(await fetchJson(uri, this.#o.fetch), state.keys);
      if (!keys) throw new Error("the answer is not a JWK set of at most 32 keys");
      // A fetch that was taken for lost may still come in after a later one.
      if (askedAtMs < state.fetchedAtMs) return;
      state.keys = keys;
      state.fetchedAtMs = askedAtMs;
      state.nextAttemptMs = this.#o.clock() + COOLDOWN_MS;
    } catch (fault) {
      state.nextAttemptMs = this.#o.clock() + RETRY_AFTER_MS;
      this.#o.log("warn", "issuer_keys.fetch_failed", { uri, fault: faultText(fault) });
    } finally {
      state.lockedUntilMs = Number.NEGATIVE_INFINITY;
    }
  }
}

function stateKey(issuer: KeySource): string {
  return JSON.stringify([issuer.id, issuer.issuer, issuer.jwks_uri]);
}

function found(key: IssuerKey | undefined): Result<IssuerKey, KeysFault> {
  return key ? ok(key) : err("unknown_key");
}

async function fetchJson(uri: string, fetch: RemoteKeysOptions["fetch"]): Promise<Json> {
  const response = await fetch(uri, {
    redirect: "manual",
    headers: { accept: "application/jwk-set+json, application/json" },
    signal: AbortSignal.timeout(FETCH_TIMEOUT_MS),
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`the answer has status ${response.status}`);
  }
  const text = fromUtf8(await readLimited(response, MAX_JWKS_BYTES));
  const document = text === undefined ? undefined : parseUniqueObject(text);
  if (!document) throw new Error("the answer is not one JSON object");
  return document;
}

/** Reads a body that is cut off, not buffered, once it is too long. */
async function readLimited(response: Response, maxBytes: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(maxBytes);
  let length = 0;
  const reader = (response.body as ReadableStream<Uint8Array> | null)?.getReader();
  for (;;) {
    const chunk = await reader?.read();
    if (!chunk || chunk.done) return bytes.subarray(0, length);
    if (length + chunk.value.length > maxBytes) {
      await reader?.cancel();
      throw new Error(`the answer is over ${maxBytes} bytes`);
    }
    bytes.set(chunk.value, length);
    length += chunk.value.length;
  }
}
