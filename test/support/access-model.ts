import * as fc from "fast-check";
import { decodeJwt } from "jose";
import { expect } from "vitest";
import type { Answer } from "../../src/local/http-call.ts";
import { bodyOf, type Endpoint, type Person } from "./deployment.ts";
import { Receiver } from "./receiver.ts";
import type { Stand } from "./stand.ts";
import { APPROVER_SCOPES, REQUESTER_SCOPES } from "./test-policy.ts";

type Who = "requester" | "approver" | "second" | "stranger" | "operator";
type Outcome = "approve" | "deny";

const which = fc.nat(2);
const who = fc.constantFrom<Who>("requester", "requester", "approver", "second", "stranger", "operator");
const command = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("ask" as const),
      by: fc.constantFrom<Who>("requester", "requester", "requester", "stranger"),
      maxUses: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("review" as const),
      by: fc.constantFrom<Who>("approver", "second", "approver", "requester", "stranger"),
      outcome: fc.constantFrom<Outcome>("approve", "approve", "approve", "deny"),
      which,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("cancel" as const), by: who, which }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("race" as const), which }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("collect" as const), by: who, which }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("use" as const), which }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("end" as const), by: who, which }) },
);
type Command = typeof command extends fc.Arbitrary<infer C> ? C : never;

/** Calls in some order; every schedule begins with a request. */
export const schedule = fc
  .array(command, { minLength: 5, maxLength: 30 })
  .map((rest): Command[] => [{ do: "ask", by: "requester", maxUses: undefined }, ...rest]);

type Shown = { state: string; grant?: { id: string; state: string; access_expiry: number } };
/** What the model knows of a request: only by what it did itself and what was answered. */
type Known = {
  id: string;
  state: string;
  grant?: { id: string; ended?: "revoked" | "used_up" };
  usesLeft: number;
  tokens: string[];
  events: string[];
};

/** The product behind its HTTP API beside a model of it, and two receivers that hear of different events. */
export class AccessModel {
  readonly #stand: Stand;
  readonly #people: Record<Exclude<Who, "operator">, Person>;
  readonly #receivers: { all: Receiver; grants: Receiver };
  #known: Known[] = [];

  private constructor(
    stand: Stand,
    people: Record<Exclude<Who, "operator">, Person>,
    receivers: { all: Receiver; grants: Receiver },
  ) {
    this.#stand = stand;
    this.#people = people;
    this.#receivers = receivers;
  }

  static async on(stand: Stand): Promise<AccessModel> {
    const [all, grants] = await Promise.all([Receiver.start(), Receiver.start()]);
    const listen = async (receiver: Receiver, events: string[]) => {
      const endpoint: Endpoint = await stand.gate.newEndpoint({ url: receiver.url, events });
      receiver.trust(endpoint.secret);
    };
    await listen(all, ["access_request.*", "grant.*"]);
    await listen(grants, ["grant.*"]);
    const second = await stand.gate.newPerson(["approver"], APPROVER_SCOPES);
    const stranger = await stand.gate.newPerson(
      ["guest"],
      [...REQUESTER_SCOPES, ...APPROVER_SCOPES.slice(1)],
    );
    const { requester, approver } = stand;
    return new AccessModel(stand, { requester, approver, second, stranger }, { all, grants });
  }

  async close(): Promise<void> {
    await Promise.all([this.#receivers.all.close(), this.#receivers.grants.close()]);
  }

  async run(commands: Command[]): Promise<void> {
    this.#known = [];
    for (const each of commands) await this.#step(each);
    await this.#checkTold();
  }

  async #step(command: Command): Promise<void> {
    if (command.do === "ask") return this.#ask(command.by, command.maxUses);
    const known = this.#known[command.which];
    if (!known) return;
    switch (command.do) {
      case "review":
        return this.#review(known, command.by, command.outcome);
      case "cancel":
        return this.#cancel(known, command.by);
      case "race":
        return this.#race(known);
      case "collect":
        return this.#collect(known, command.by);
      case "use":
        return this.#use(known);
      default:
        return this.#end(known, command.by);
    }
  }

  async #ask(by: Who, maxUses: number | undefined): Promise<void> {
    const counted = maxUses === undefined ? {} : { max_uses: maxUses };
    const json = { resource: "orders", scope: "orders:read", justification: "a model", ...counted };
    const answer = await this.#call(by, "/v1/access-requests", json);
    expect(answer.status).toBe(by === "requester" ? 201 : 403);
    if (answer.status !== 201) return;
    const { id } = answer.body as { id: string };
    const usesLeft = maxUses ?? Number.POSITIVE_INFINITY;
    this.#known.push({ id, state: "pending", usesLeft, tokens: [], events: ["access_request.created"] });
  }

  async #review(known: Known, by: Who, outcome: Outcome): Promise<void> {
    const may = known.state === "pending" && (by === "approver" || by === "second");
    await this.#expect(known, may, () => this.#postReview(known, by, outcome));
    if (!may) return;
    await this.#decided(known, outcome === "approve" ? "approved" : "denied");
  }

  async #cancel(known: Known, by: Who): Promise<void> {
    const repeat = known.state === "cancelled" && by === "requester";
    const may = known.state === "pending" && by === "requester";
    await this.#expect(known, may || repeat, () => this.#call(by, `${pathOf(known)}/cancel`));
    if (may) await this.#decided(known, "cancelled");
  }

  /** Everything that could decide, at once: one of them does, and the others are told which. */
  async #race(known: Known): Promise<void> {
    if (known.state !== "pending") return;
    const answers = await Promise.all([
      this.#postReview(known, "approver", "approve"),
      this.#postReview(known, "second", "deny"),
      this.#call("requester", `${pathOf(known)}/cancel`),
      this.#postReview(known, "second", "approve"),
      this.#postReview(known, "approver", "deny"),
    ]);
    const { state } = await this.#read(known);
    const won = answers.filter(({ status }) => status < 300);
    expect(won).toHaveLength(1);
    for (const { status, body } of answers.filter((each) => each.status >= 300)) {
      expect([status, (body as Shown).state]).toEqual([409, state]);
    }
    expect((won[0]!.body as Shown).state).toBe(state);
    await this.#decided(known, state);
  }

  async #decided(known: Known, state: string): Promise<void> {
    const shown = await this.#read(known);
    expect([shown.state, shown.grant !== undefined]).toEqual([state, state === "approved"]);
    known.state = state;
    known.events.push(`access_request.${state}`);
    if (!shown.grant) return;
    known.grant = { id: shown.grant.id };
    known.events.push("grant.activated");
  }

  async #collect(known: Known, by: Who): Promise<void> {
    const may = by === "requester" && known.grant !== undefined && !known.grant.ended;
    const answer = await this.#expect(known, may, () => this.#call(by, `${pathOf(known)}/token`));
    if (!may) return;
    const { access_token: token } = answer.body as { access_token: string };
    const { grant } = await this.#read(known);
    expect(decodeJwt(token).exp).toBeLessThanOrEqual(grant!.access_expiry);
    known.tokens.push(token);
  }

  async #use(known: Known): Promise<void> {
    const token = known.tokens.at(-1);
    if (!token || !known.grant) return;
    const { gate, origin } = this.#stand;
    const before = origin.received.length;
    const { status } = await gate.call("/orders", { token });
    const good = !known.grant.ended && known.usesLeft > 0;
    expect(status).toBe(good ? 200 : known.grant.ended === "revoked" ? 401 : 403);
    expect(origin.received.length - before).toBe(good ? 1 : 0);
    if (!good) return;
    known.usesLeft--;
    if (known.usesLeft > 0) return;
    known.grant.ended = "used_up";
    known.events.push("grant.used_up");
    await expect.poll(async () => (await this.#read(known)).grant?.state, POLL).toBe("used_up");
  }

  async #end(known: Known, by: Who): Promise<void> {
    if (!known.grant) return;
    const may = (by === "requester" || by === "operator") && known.grant.ended !== "used_up";
    const path = `/v1/grants/${known.grant.id}/revoke`;
    await this.#expect(known, may, () => this.#call(by, path, { reason: "a model" }));
    if (!may || known.grant.ended) return;
    known.grant.ended = "revoked";
    known.events.push(by === "requester" ? "grant.returned" : "grant.revoked");
    // The gate learns of it without waiting for its bound.
    await this.#stand.gate.call("/readyz");
  }

  /** A refused call changes nothing. */
  async #expect(known: Known, may: boolean, call: () => Promise<Answer>): Promise<Answer> {
    const before = await this.#read(known);
    const answer = await call();
    if (may) expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
    else {
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.status).toBeLessThan(500);
      expect(await this.#read(known)).toEqual(before);
    }
    return answer;
  }

  /** Each transition is one event, and each event reaches every endpoint that listens to it. */
  async #checkTold(): Promise<void> {
    for (const { id, events } of this.#known) {
      const told = (receiver: Receiver) => {
        const own = receiver.received.filter(
          ({ data }) => (data as { access_request: { id: string } }).access_request.id === id,
        );
        // A delivery may come twice, under the same id.
        return [...new Map(own.map((message) => [message.id, message.type])).values()].sort();
      };
      const grants = events.filter((type) => type.startsWith("grant."));
      await expect.poll(() => told(this.#receivers.all), POLL).toEqual([...events].sort());
      await expect.poll(() => told(this.#receivers.grants), POLL).toEqual(grants.sort());
    }
  }

  #postReview(known: Known, by: Who, outcome: Outcome): Promise<Answer> {
    return this.#call(by, `${pathOf(known)}/reviews`, { outcome });
  }

  async #read(known: Known): Promise<Shown> {
    return bodyOf(await this.#stand.gate.asOperator(pathOf(known)), 200);
  }

  #call(by: Who, path: string, json?: object): Promise<Answer> {
    const token = by === "operator" ? this.#stand.gate.operator : this.#people[by].token;
    return this.#stand.gate.call(path, { method: "POST", token, ...(json ? { json } : {}) });
  }
}

const POLL = { timeout: 20_000, interval: 50 };

function pathOf({ id }: Known): string {
  return `/v1/access-requests/${id}`;
}
