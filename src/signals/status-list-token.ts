import { type Clock, epochSeconds } from "../platform/clock.ts";
import type { Result } from "../protocol/result.ts";
import { ok } from "../protocol/result.ts";
import { compressList, STATUS_LIST_TYPE } from "../protocol/status-list.ts";
import { listUri } from "./status-list.ts";
import type { StatementPort } from "./stream-sender.ts";

export type StatusListTokenDeps = {
  issuer: string;
  clock: Clock;
  bits(list: number): Promise<Result<Uint8Array<ArrayBuffer>>>;
  keyring: StatementPort;
};

/** A verifier asks again after this long (`ttl`), and uses none that is older than the other (`exp`). */
const TTL_SECONDS = 60;
const LIFE_SECONDS = 3_600;
/** Half of the time for which a verifier may keep it; the other half is for caches on the way. */
export const KEPT_SECONDS = TTL_SECONDS / 2;
const MAX_KEPT = 8;

/** Status lists as signed tokens (draft-ietf-oauth-status-list §5.1), each kept for half a minute in the isolate. */
export class StatusListTokens {
  readonly #o: StatusListTokenDeps;
  readonly #kept = new Map<number, { token: string; until: number }>();

  constructor(deps: StatusListTokenDeps) {
    this.#o = deps;
  }

  async list(list: number): Promise<Result<string>> {
    const { issuer, clock, bits, keyring } = this.#o;
    const now = epochSeconds(clock());
    const known = this.#kept.get(list);
    if (known && now < known.until) return ok(known.token);
    const bytes = await bits(list);
    if (!bytes.ok) return bytes;
    const exp = now + LIFE_SECONDS;
    const claims = {
      ...{ iss: issuer, sub: listUri(issuer, list), iat: now, exp, ttl: TTL_SECONDS },
      status_list: { bits: 1, lst: await compressList(bytes.value) },
    };
    const token = await keyring.signStatement({ typ: STATUS_LIST_TYPE, claims, until: exp });
    if (!token.ok) return token;
    if (this.#kept.size >= MAX_KEPT) this.#kept.clear();
    this.#kept.set(list, { token: token.value, until: now + KEPT_SECONDS });
    return token;
  }
}
