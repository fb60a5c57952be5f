import { type Clock, epochSeconds } from "../platform/clock.ts";
import type { Durable } from "../platform/durable.ts";
import { newId } from "../platform/ids.ts";
import type { Confirmation } from "../protocol/confirmation.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { SignIn } from "../protocol/sign-in.ts";
import type { AccessRequest, IssuedToken, PolledToken } from "./access-request.ts";
import type { AccessRequestStore } from "./access-request-store.ts";
import { actorsFor } from "./backchannel.ts";
import { checkIssue } from "./decide.ts";
import { takePoll } from "./polling.ts";
import type { PollingStore } from "./polling-store.ts";
import type { ActClaim, KeyringPort, StatusListPort } from "./ports.ts";

type TokenPorts = {
  store: AccessRequestStore;
  polling: PollingStore;
  durable: Durable;
  keyring: KeyringPort;
  statusList: StatusListPort;
  clock: Clock;
};

const NOT_FOUND = problem("not_found", "There is no such access request.");

/** The access tokens of one grant: each is recorded before it leaves. */
export class GrantTokens {
  readonly #p: TokenPorts;

  constructor(ports: TokenPorts) {
    this.#p = ports;
  }

  async issue(
    subject: string,
    confirmation: Confirmation | null,
    actors: readonly string[],
    signIn?: SignIn,
  ): Promise<Result<IssuedToken>> {
    const { store, durable, keyring, clock } = this.#p;
    const request = store.read()?.request;
    if (!request) return err(NOT_FOUND);
    const grant = checkIssue(request, subject, this.#now());
    if (!grant.ok) return grant;
    const told = await this.#awaitAlert(request);
    if (!told.ok) return told;
    const jti = newId("tok", clock());
    durable.commit(() => store.addToken(jti, this.#now()));
    const { id, access_start: accessStart, access_expiry: accessExpiry, resource, scope } = grant.value;
    const { max_uses: maxUses } = grant.value;
    const act = actOf(actors);
    const client_id = request.requester.client_id;
    const allotted = { grant: id, sub: subject, client_id, until: accessExpiry };
    const status = request.status_list ? await this.#p.statusList.allot(allotted) : undefined;
    if (status && !status.ok) return status;
    const minted = await keyring.mint({
      jti,
      subject,
      audience: request.audience,
      clientId: client_id,
      scopes: scope,
      ttlSeconds: request.access_token_ttl_seconds,
      grant: {
        ...{ id, accessStart, accessExpiry, resource },
        ...(maxUses === undefined ? {} : { maxUses }),
      },
      ...(status ? { status: status.value } : {}),
      ...(act ? { act } : {}),
      ...(confirmation ? { confirmation } : {}),
      ...(signIn ? { signIn } : {}),
    });
    if (!minted.ok) return minted;
    // The grant may have been revoked while the token was being signed.
    const still = checkIssue(store.read()!.request, subject, this.#now());
    if (!still.ok) return still;
    const { accessToken, expiresInSeconds } = minted.value;
    return ok({
      access_token: accessToken,
      token_type: confirmation?.jkt === undefined ? "Bearer" : "DPoP",
      expires_in: expiresInSeconds,
      scope: scope.join(" "),
    });
  }

  startPolling(clientId: string, intervalSeconds: number): Result<null> {
    const { polling, durable } = this.#p;
    if (polling.read()) return ok(null);
    const begun = { client_id: clientId, interval_ms: intervalSeconds * 1000 };
    durable.commit(() => polling.write(begun));
    return ok(null);
  }

  async poll(clientId: string, confirmation: Confirmation | null): Promise<Result<PolledToken>> {
    const { store, polling, durable, clock } = this.#p;
    const known = polling.read();
    const request = store.read()?.request;
    if (!request || known?.client_id !== clientId) return err(NOT_FOUND);
    const taken = takePoll(known, clock());
    durable.commit(() => polling.write(taken.polling));
    if (taken.early) {
      const seconds = taken.polling.interval_ms / 1000;
      return err(problem("too_many_requests", `Wait ${seconds} seconds between two polls from now on.`));
    }
    const { subject } = request.requester;
    const issued = await this.issue(subject, confirmation, actorsFor({ clientId, subject }));
    if (!issued.ok) return issued;
    const detail = { type: "portcullis_resource" as const, identifier: request.ask.resource };
    return ok({ ...issued.value, authorization_details: [detail] });
  }

  /** No token of an emergency leaves before everybody who listens was sent word of it. */
  async #awaitAlert({ break_glass: glass }: AccessRequest): Promise<Result<null>> {
    if (!glass || glass.alerted_at !== undefined) return ok(null);
    await this.#p.durable.flush("alert");
    if (this.#p.store.read()?.request.break_glass?.alerted_at !== undefined) return ok(null);
    const detail =
      "Nobody could be told of this emergency yet, so no token is given. Try again shortly; the log says why.";
    return err(problem("unavailable", detail));
  }

  #now(): number {
    return epochSeconds(this.#p.clock());
  }
}

/** The claim that names who acts for the subject; the nearest is outermost. */
function actOf(actors: readonly string[]): ActClaim | undefined {
  return actors.reduceRight<ActClaim | undefined>((act, sub) => (act ? { sub, act } : { sub }), undefined);
}
