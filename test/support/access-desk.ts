import type { AccessRequest, IssuedToken, Transition } from "../../src/access/access-request.ts";
import { ADMISSION_SCHEMA, AdmissionStore } from "../../src/access/admission-store.ts";
import { nextChange, onTime, passTime } from "../../src/access/agenda.ts";
import { askByClient, type BackchannelDeps, type ClientAsk } from "../../src/access/backchannel.ts";
import { applyReview, cancel, checkIssue, revokeGrant, useUp } from "../../src/access/decide.ts";
import { DIRECTORY_MIGRATIONS, DirectoryStore } from "../../src/access/directory-store.ts";
import { askExtension } from "../../src/access/extension.ts";
import { openAccessRequest, personOfActor, type Wanted } from "../../src/access/open.ts";
import { breakGlass, openRequest } from "../../src/access/open-request.ts";
import type { ReviewInput } from "../../src/access/round.ts";
import type { Actor } from "../../src/platform/http.ts";
import { newId } from "../../src/platform/ids.ts";
import type { PolicyDocument } from "../../src/policy/document.ts";
import { problem } from "../../src/protocol/problem.ts";
import { err, ok, type Result } from "../../src/protocol/result.ts";
import { memorySql } from "./memory-sql.ts";

type Change = { before: AccessRequest | undefined; after: AccessRequest; events: string[]; at: number };
export type Told = { at: number; request: string; type: string };

export const personWith = (subject: string, roles: string[] = [], actors: string[] = []): Actor => ({
  subject,
  roles,
  clientId: "cli_app",
  scopes: [],
  ...(actors.length ? { actors } : {}),
});

/** Access requests as the control plane handles them, in memory and on a clock of the test's own. */
export class AccessDesk {
  now: number;
  policy: PolicyDocument;
  readonly told: Told[] = [];
  /** Which client may poll for which request. */
  readonly polls = new Map<string, string>();
  /** Every change that was kept, with what was told of it. */
  readonly changes: Change[] = [];
  readonly #requests = new Map<string, { request: AccessRequest; version: number }>();
  readonly #sql = memorySql([...DIRECTORY_MIGRATIONS, ADMISSION_SCHEMA]);
  readonly directory = new DirectoryStore(this.#sql);
  readonly #admissions = new AdmissionStore(this.#sql);
  #made = 0;

  constructor(policy: PolicyDocument, now: number) {
    this.policy = policy;
    this.now = now;
  }

  ask(actor: Actor, wanted: Wanted): Promise<Result<AccessRequest>> {
    const id = this.#newId();
    return openAccessRequest(this.#deps(), actor, wanted, async () => ok({ id }), this.now);
  }

  /** As a client asks by the backchannel. */
  askByClient(ask: ClientAsk): ReturnType<typeof askByClient> {
    return askByClient(this.#newId(), ask, this.#deps(), this.now);
  }

  #newId(): string {
    return newId("req", this.now * 1000 + this.#made++);
  }

  #deps(): BackchannelDeps {
    return {
      policy: async () => ok(this.policy),
      listeners: async () => ok(1),
      directory: { admit: async (admission) => this.#admissions.admit(admission, this.now) },
      accessRequest: (id) => ({
        open: async (...args) => this.open(...args),
        startPolling: async (clientId) => {
          this.polls.set(id, clientId);
          return ok(null);
        },
      }),
    };
  }

  open(...[id, requester, ask, rule, audience, emergency]: OpenArgs): Result<AccessRequest> {
    const begin = emergency ? breakGlass : openRequest;
    const opened = begin(id, requester, ask, rule, audience, this.now);
    return opened.ok ? ok(this.#keep(opened.value)) : opened;
  }

  read(id: string): AccessRequest {
    return this.#requests.get(id)!.request;
  }

  review(actor: Actor, id: string, input: Partial<ReviewInput> = {}): Result<AccessRequest> {
    const review: ReviewInput = {
      id: `rvw_${this.#made++}`,
      approver: actor.subject,
      outcome: "approve",
      ...input,
    };
    return this.#change(id, (request) =>
      applyReview(request, review, personOfActor(actor), this.#ruleOf(request), this.now),
    );
  }

  extend(
    actor: Actor,
    id: string,
    seconds: number,
    justification = "not done yet, a little more time",
  ): Result<AccessRequest> {
    const ask = { id: `ext_${this.#made++}`, duration_seconds: seconds, justification };
    return this.#change(id, (request) =>
      request.requester.subject === actor.subject
        ? askExtension(request, ask, personOfActor(actor), this.#ruleOf(request), this.now)
        : err(problem("not_found", "not theirs")),
    );
  }

  cancel(id: string): Result<AccessRequest> {
    return this.#change(id, (request) => cancel(request, this.now));
  }

  end(by: string, id: string): Result<AccessRequest> {
    return this.#change(id, (request) => revokeGrant(request, by, "a test", this.now));
  }

  /** The grant's uses are all spent. */
  useUp(id: string): Result<AccessRequest> {
    return this.#change(id, (request) => ok(useUp(request, this.now)));
  }

  /** A token as it would be issued: when it ends. */
  issue(actor: Actor, id: string): Result<Pick<IssuedToken, "expires_in"> & { expires_at: number }> {
    const request = this.read(id);
    const grant = checkIssue(request, actor.subject, this.now);
    if (!grant.ok) return grant;
    const expires_in = Math.min(request.access_token_ttl_seconds, grant.value.access_expiry - this.now);
    return ok({ expires_in, expires_at: this.now + expires_in });
  }

  /** Lets time pass; every request's alarm rings when it is due. */
  pass(seconds: number): void {
    const until = this.now + seconds;
    for (;;) {
      const due = [...this.#requests.values()].map(({ request }) => nextChange(request) ?? Infinity);
      const next = Math.max(this.now, Math.min(...due));
      if (next > until) break;
      this.now = next;
      for (const { request } of [...this.#requests.values()]) {
        const passed = passTime(request, this.now);
        if (passed.events.length > 0) this.#keep(passed);
      }
    }
    this.now = until;
  }

  /** What was told of a request, in order. */
  toldOf(id: string): string[] {
    return this.told.filter(({ request }) => request === id).map(({ type }) => type);
  }

  #ruleOf(request: AccessRequest) {
    return this.policy.access_rules.find(({ id }) => id === request.rule_id);
  }

  #change(id: string, change: (request: AccessRequest) => Result<Transition>): Result<AccessRequest> {
    const changed = onTime(this.read(id), change, this.now);
    if (!changed.ok) return changed;
    return ok(
      changed.value.events.length || changed.value.request !== this.read(id)
        ? this.#keep(changed.value)
        : this.read(id),
    );
  }

  #keep({ request, events }: Transition): AccessRequest {
    this.changes.push({
      before: this.#requests.get(request.id)?.request,
      after: request,
      events,
      at: this.now,
    });
    const version = (this.#requests.get(request.id)?.version ?? 0) + 1;
    this.#requests.set(request.id, { request, version });
    this.directory.put(request, version);
    this.told.push(...events.map((type) => ({ at: this.now, request: request.id, type })));
    return request;
  }
}

type OpenArgs = [...(Parameters<typeof openRequest> extends [...infer A, number] ? A : never), boolean?];
