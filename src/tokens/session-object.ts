import { auditSink } from "../platform/audit-outbox.ts";
import { CausedObject } from "../platform/caused-object.ts";
import { epochSeconds, systemClock } from "../platform/clock.ts";
import { Durable } from "../platform/durable.ts";
import { newId, siblingId } from "../platform/ids.ts";
import { consoleLogger } from "../platform/log.ts";
import type { OutboxRow } from "../platform/outbox.ts";
import { objectPort } from "../platform/rpc.ts";
import { SecretBox } from "../platform/secret-box.ts";
import { fromUtf8, utf8 } from "../protocol/encoding.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { Receipt } from "../revocation/receipt.ts";
import { hits, type Revocation } from "../revocation/rule.ts";
import type { SessionRecord } from "../revocation/session-record.ts";
import type { EventType, WebhookEvent } from "../webhooks/event.ts";
import { publishEvent, publishPorts } from "../webhooks/publish.ts";
import type { CookieUse } from "./browser-session.ts";
import {
  BrowserSessionFlow,
  type CookieAnswer,
  type CookieToken,
  type HandOverCall,
  type SignInCall,
} from "./browser-session-flow.ts";
import {
  type Assertion,
  endSession,
  presentSession,
  SESSION_RULE_SECONDS,
  type Session,
  type SessionEnd,
  sessionState,
} from "./session.ts";
import { newCredential, SESSION_CREDENTIAL_PURPOSE } from "./session-credential.ts";
import {
  NO_SESSION,
  type OpenCall,
  type RefreshCall,
  type SessionAnswer,
  SessionFlow,
  type SessionFlowDeps,
} from "./session-flow.ts";
import { sessionNote } from "./session-note.ts";
import type { SessionDirectoryPort, SessionKeyringPort, SessionLogPort } from "./session-ports.ts";
import { SESSION_MIGRATIONS, SessionStore } from "./session-store.ts";

type SessionEvent = WebhookEvent & { type: EventType };

/** How long a session that is over can still be looked at. */
const KEPT_SECONDS = 7 * 86_400;
/** The directory learns of use when this part of the idle time has passed since it last did. */
const INDEX_FRACTION = 8;

/** One refresh-token family (name: `ses_…`): its generation, its binding, its last answer, its end. */
export class SessionObject extends CausedObject {
  readonly #clock = systemClock;
  readonly #store: SessionStore;
  readonly #durable: Durable;
  readonly #log: SessionLogPort;
  readonly #directory: SessionDirectoryPort;
  readonly #flow: SessionFlow;
  readonly #browser: BrowserSessionFlow;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = new SessionStore(ctx.storage.sql);
    this.#log = objectPort<SessionLogPort>(env.LOG, "main", { log: consoleLogger });
    this.#directory = objectPort<SessionDirectoryPort>(env.DIRECTORY, "main", { log: consoleLogger });
    this.#durable = new Durable(ctx, {
      clock: this.#clock,
      log: consoleLogger,
      migrations: SESSION_MIGRATIONS,
      deliver: {
        "log.append": (row) => this.#appendRevocation(row),
        "directory.put": () => this.#index(),
        "webhook.publish": (row) => publishEvent(row.payload as SessionEvent, publishPorts(env)),
      },
      audit: auditSink(env, () => `session/${this.#store.read()!.session.id}`),
      nextDueMs: () => this.#nextDueMs(),
      onDue: () => this.#passTime(),
    });
    const deps = this.#flowDeps();
    this.#flow = new SessionFlow(deps);
    this.#browser = new BrowserSessionFlow(deps);
  }

  /** Opens the session and answers its first tokens. Idempotent by id until it is refreshed. */
  open(call: OpenCall): Promise<Result<SessionAnswer>> {
    return this.#flow.open(call);
  }

  /** Spends a credential for the next answer, or ends the session where it was spent before. */
  refresh(call: RefreshCall): Promise<Result<SessionAnswer>> {
    return this.#flow.refresh(call);
  }

  /** Opens the session of who has signed in with a browser. */
  signIn(call: SignInCall): Promise<Result<CookieAnswer>> {
    return this.#browser.open(call);
  }

  /** The access token that a cookie stands for; not the one that was refused, where one was. */
  token(use: CookieUse, audience: string, refused?: string): Promise<Result<CookieToken>> {
    return this.#browser.token(use, audience, refused);
  }

  /** Whose cookie it is. */
  who(use: CookieUse): Promise<Result<SessionRecord>> {
    return this.#browser.who(use);
  }

  /** What the provider said of whose cookie it is. */
  vouch(use: CookieUse): Promise<Result<Assertion>> {
    return this.#browser.vouch(use);
  }

  /** Gives the session a cookie at another host, once for each hand-over. */
  handOver(call: HandOverCall): Promise<Result<CookieAnswer>> {
    return this.#browser.handOver(call);
  }

  read(): Result<SessionRecord> {
    const session = this.#store.read()?.session;
    return session ? ok(presentSession(session, this.#now())) : err(NO_SESSION);
  }

  /** The session where this is the credential that may be used next, and it is not over. */
  find(credential: string): Result<SessionRecord> {
    const session = this.#store.read()?.session;
    const live = session && session.current === credential && sessionState(session, this.#now()) === "active";
    return live ? ok(presentSession(session, this.#now())) : err(NO_SESSION);
  }

  /**
   * Ends the session and answers once the log has the revocation, with its receipt. Where `clientId` is
   * given, only a session of that client. What time has ended is revoked nevertheless: a token may be alive.
   */
  async revoke(by: string, reason: string, clientId?: string): Promise<Result<Receipt>> {
    const session = this.#store.read()?.session;
    const foreign = clientId !== undefined && session?.binding.client_id !== clientId;
    if (!session || foreign) return err(NO_SESSION);
    if (!isRevoked(session)) await this.#end(session, { how: "revoked", at: this.#now(), by, reason });
    else await this.#durable.flush("log");
    const receipt = this.#store.read()?.session.ended?.receipt;
    if (receipt) return ok(receipt);
    const detail =
      "The session is over and gives no new token, but the log that tells the edges did not answer. " +
      "It is retried until it does; repeat this call for the receipt.";
    return err(problem("unavailable", detail));
  }

  /** Ends the session where a rule hits what its identity provider said; another one is left as it is. */
  async revokeIfHit(rule: Revocation, by: string): Promise<Result<null>> {
    const session = this.#store.read()?.session;
    if (!session || isRevoked(session) || !hits(rule, session.assertion.facts, rule.created_at))
      return ok(null);
    const revoked = await this.revoke(by, rule.reason);
    return revoked.ok ? ok(null) : revoked;
  }

  override alarm(): Promise<void> {
    return this.#durable.alarm();
  }

  async sweep(): Promise<Result<null>> {
    await this.#durable.sweep();
    return ok(null);
  }

  #flowDeps(): SessionFlowDeps {
    const { ISSUER: issuer } = this.env;
    const credentials = new SecretBox(this.env, SESSION_CREDENTIAL_PURPOSE);
    const answers = new SecretBox(this.env, "session-answer");
    const keyring = objectPort<SessionKeyringPort>(this.env.KEYRING, "main", { log: consoleLogger });
    return {
      issuer,
      clock: this.#clock,
      read: () => this.#store.read()?.session,
      write: (session) => this.#write(session),
      end: (session, end) => this.#end(session, end),
      mint: (input) => keyring.mint(input),
      hit: (tokens, since) => this.#log.hit(tokens, since),
      newCredential: (kind, sessionId) => newCredential(credentials, kind, sessionId),
      seal: (answer, sessionId) => answers.seal(utf8(answer), sessionId),
      open: async (sealed, sessionId) => {
        const bytes = await answers.open(sealed, sessionId);
        return bytes && fromUtf8(bytes);
      },
    };
  }

  #write(session: Session): void {
    this.#durable.commit((note) => {
      const known = this.#store.read();
      this.#store.write(session);
      if (!known) {
        this.#store.addEvent(newId("evt", this.#clock()), "session.opened", this.#now());
        note({ ...sessionNote("session.opened", session), by: session.subject });
      }
      const stale = this.#now() - (known?.indexedAt ?? 0);
      if (stale * INDEX_FRACTION >= session.idle_end - session.refreshed_at) this.#putIndex();
    });
  }

  async #end(session: Session, end: SessionEnd): Promise<void> {
    const { ended: _over, ...open } = session;
    // What only time had ended is ended anew, so that the rule has its reason.
    this.#commitEnd(endSession(isRevoked(session) ? session : open, end));
    await this.#durable.flush("log");
  }

  #commitEnd(session: Session): void {
    const nowMs = this.#clock();
    this.#durable.commit((note) => {
      if (isRevoked(this.#store.read()?.session)) return;
      this.#store.write(session);
      this.#putIndex();
      const { ended } = session;
      if (!ended) return;
      const id = newId("evt", nowMs);
      this.#store.addEvent(id, `session.${ended.how}`, ended.at);
      note({ ...sessionNote(`session.${ended.how}`, session), by: ended.by, reason: ended.reason });
      if (ended.how === "expired") return;
      this.#putRevocation(session.id, ended);
      const data = { session: presentSession(session, ended.at) };
      const timestamp = new Date(nowMs).toISOString();
      const payload: SessionEvent = { id, type: `session.${ended.how}`, timestamp, data };
      this.#durable.outbox.put({ id, lane: "events", kind: "webhook.publish", payload });
    });
  }

  #putIndex(): void {
    this.#durable.outbox.put({ id: "directory", lane: "directory", kind: "directory.put", payload: null });
  }

  #putRevocation(sessionId: string, { at, by, reason }: SessionEnd): void {
    const rule: Revocation = {
      id: siblingId("rev", sessionId),
      match: { session: sessionId, iss: this.env.ISSUER },
      reason,
      actor: by,
      created_at: at,
      expires_at: at + SESSION_RULE_SECONDS,
    };
    const payload = { id: rule.id, kind: "revocation.added", rule };
    this.#durable.outbox.put({ id: rule.id, lane: "log", kind: "log.append", payload });
  }

  async #appendRevocation(row: OutboxRow): Promise<void> {
    const receipt = await this.#log.append(row.payload as Parameters<SessionLogPort["append"]>[0]);
    if (!receipt.ok) throw new Error(receipt.error.detail);
    const session = this.#store.read()?.session;
    if (!session?.ended) return;
    const ended = { ...session.ended, receipt: receipt.value };
    this.#durable.commit(() => this.#store.write({ ...session, ended }));
  }

  /** Tells the directory the state as it is now, so that a late row is never wrong. */
  async #index(): Promise<void> {
    const known = this.#store.read();
    if (!known) return;
    const done = await this.#directory.putSession(presentSession(known.session, this.#now()), known.version);
    if (!done.ok) throw new Error(done.error.detail);
    this.#store.setIndexedAt(this.#now());
  }

  #nextDueMs(): number | undefined {
    const session = this.#store.read()?.session;
    if (!session) return undefined;
    const { ended, idle_end, absolute_end } = session;
    // What is still owed has its own time; after it, the session may be forgotten.
    if (ended && this.#durable.outbox.size() > 0) return undefined;
    return 1000 * (ended ? ended.at + KEPT_SECONDS : Math.min(idle_end, absolute_end));
  }

  #passTime(): void {
    const session = this.#store.read()?.session;
    if (!session) return;
    const now = this.#now();
    if (!session.ended && sessionState(session, now) === "expired") {
      const reason =
        now >= session.absolute_end ? "Its longest life is over." : "It was not refreshed in time.";
      this.#commitEnd(endSession(session, { how: "expired", at: now, by: "time", reason }));
    } else if (session.ended && now >= session.ended.at + KEPT_SECONDS) {
      this.#durable.commit(() => this.#store.clear());
    }
  }

  #now(): number {
    return epochSeconds(this.#clock());
  }
}

function isRevoked(session: Session | undefined): boolean {
  return session?.ended !== undefined && session.ended.how !== "expired";
}
