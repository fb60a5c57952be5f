import fc from "fast-check";
import { expect, it } from "vitest";
import { coveringGrants } from "../../../src/access/covering.ts";
import { grantRevocation } from "../../../src/access/grant.ts";
import { permissionFault } from "../../../src/edge/permission.ts";
import { checkPolicy } from "../../../src/policy/check.ts";
import type { Revocation, TokenFacts } from "../../../src/revocation/rule.ts";
import { RuleIndex } from "../../../src/revocation/rule-index.ts";
import { accessTokenClaims } from "../../../src/tokens/access-token.ts";
import { readOwnClaims, type VerifiedToken, windowFault } from "../../../src/tokens/claims.ts";
import { AccessDesk, personWith } from "../../support/access-desk.ts";
import { expectValue } from "../../support/remote.ts";

const START = 1_800_000_000;
const RESOURCES = ["orders", "projects/1", "projects/2"];
const SCOPES = ["read", "write", "admin"];
const ANN = personWith("corp|ann", ["developer"]);
const BOB = personWith("corp|bob", ["approver"]);
const POLICY = {
  origins: { api: { url: "https://api.internal.example", audience: "api" } },
  access_rules: ["orders", "projects/:id"].map((resource, i) => ({
    id: `rule-${i}`,
    ...{ resource, origin: "api", scopes: SCOPES, max_duration_seconds: 3600 },
    requesters: { roles: ["developer"] },
    stages: [{ roles: ["approver"] }],
    access_token_ttl_seconds: 3600,
  })),
};

/** What the test itself knows of a grant: nothing of it is asked of the code. */
type Known = { id: string; resource: string; scopes: string[]; from: number; to: number; endedAt?: number };
type Held = { token: VerifiedToken; of: Known };

const step = fc.oneof(
  fc.record({
    kind: fc.constant("grant" as const),
    resource: fc.constantFrom(...RESOURCES),
    scopes: fc.subarray(SCOPES, { minLength: 1 }),
    seconds: fc.integer({ min: 1, max: 400 }),
    /** From when, where not from the approval. */
    ahead: fc.option(fc.integer({ min: 0, max: 200 }), { nil: undefined }),
  }),
  fc.record({
    kind: fc.constant("end" as const),
    which: fc.nat(),
    by: fc.constantFrom("corp|ann", "corp|op"),
  }),
  fc.record({ kind: fc.constant("pass" as const), seconds: fc.integer({ min: 0, max: 300 }) }),
);

class World {
  readonly desk = new AccessDesk(
    expectValue(checkPolicy(POLICY, { issuer: "https://auth.example.com", local: false })),
    START,
  );
  readonly grants: Known[] = [];
  readonly held: Held[] = [];
  readonly revoked = new RuleIndex();
  #jti = 0;

  async grant(resource: string, scopes: string[], seconds: number, ahead?: number): Promise<void> {
    const { desk } = this;
    const starts = ahead === undefined ? {} : { starts_at: desk.now + ahead };
    const wanted = { resource, scope: scopes.join(" "), duration_seconds: seconds, justification: "a test" };
    const { id } = expectValue(await desk.ask(ANN, { ...wanted, ...starts }));
    expectValue(desk.review(BOB, id));
    const from = desk.now + (ahead ?? 0);
    this.grants.push({ id, resource, scopes, from, to: from + seconds });
  }

  /** Returned or revoked; what is over already stays as it is. */
  end(which: number, by: string): void {
    const known = this.grants[which % (this.grants.length || 1)];
    if (!known || !this.desk.end(by, known.id).ok) return;
    known.endedAt ??= this.desk.now;
    const { grant } = this.desk.read(known.id);
    const rule: Revocation = grantRevocation(grant!, grant!.revoked!);
    this.revoked.add(rule);
  }

  isLive = ({ from, to, endedAt = Infinity }: Known) =>
    this.desk.now >= from && this.desk.now < Math.min(to, endedAt);

  /** As `POST /v1/grants/token` does: a token of whichever covers. */
  obtain(resource: string, scopes: string[]): VerifiedToken | undefined {
    const { now, directory } = this.desk;
    const live = directory.list({ limit: 200, requester: ANN.subject, resource, grant: "active" }, now);
    const [best] = coveringGrants(live, { resource, scopes }, now);
    if (!best) return undefined;
    const { id, access_start, access_expiry, scope } = best.grant!;
    const claims = accessTokenClaims(
      {
        jti: `tok_${this.#jti++}`,
        ...{ subject: ANN.subject, audience: "api", clientId: "cli_app", scopes: scope, ttlSeconds: 3600 },
        grant: { id, accessStart: access_start, accessExpiry: access_expiry, resource: best.grant!.resource },
      },
      "https://auth.example.com",
      now,
    );
    const token = readOwnClaims(expectValue(claims), { kid: "k", key: {} as CryptoKey })!;
    const of = this.grants.find(({ id: known }) => known === best.id)!;
    this.held.push({ token, of });
    return token;
  }

  isGood(token: VerifiedToken): boolean {
    const { now } = this.desk;
    return !windowFault(token, now) && !this.revoked.find(token.facts as TokenFacts, now);
  }

  /** At this moment: what can be had is the union of what is live, and each token lives with its own grant. */
  check(): void {
    for (const { token, of } of this.held) expect(this.isGood(token)).toBe(this.isLive(of));
    for (const resource of RESOURCES) {
      for (const scope of SCOPES) {
        const given = this.grants.some(
          (each) => this.isLive(each) && each.resource === resource && each.scopes.includes(scope),
        );
        const token = this.obtain(resource, [scope]);
        const access = { scopes: [scope], roles: [], resource };
        const opens = token && this.isGood(token) && !permissionFault(access, {}, token, this.desk.now);
        expect(opens ?? false, `${resource} ${scope} at ${this.desk.now - START}`).toBe(given);
      }
    }
  }
}

it("what a person may do is at every moment the union of their live grants", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 25 }), async (steps) => {
      const world = new World();
      for (const each of steps) {
        if (each.kind === "grant") await world.grant(each.resource, each.scopes, each.seconds, each.ahead);
        if (each.kind === "end") world.end(each.which, each.by);
        if (each.kind === "pass") world.desk.pass(each.seconds);
        world.check();
      }
      // Each remaining end, to the second, and the moment before it.
      const moments = world.grants.flatMap(({ from, to }) => [from, to - 1, to]);
      for (const moment of moments.sort((a, b) => a - b)) {
        if (moment < world.desk.now) continue;
        world.desk.pass(moment - world.desk.now);
        world.check();
      }
    }),
    { numRuns: 60 },
  );
});

it("draws on the grant that is not counted and lasts longest", async () => {
  const world = new World();
  const ids: string[] = [];
  for (const [seconds, more] of [[100], [300, { max_uses: 3 }], [200]] as const) {
    const wanted = { resource: "orders", scope: "read", duration_seconds: seconds, justification: "a test" };
    const { id } = expectValue(await world.desk.ask(ANN, { ...wanted, ...more }));
    expectValue(world.desk.review(BOB, id));
    ids.push(id);
  }
  const wanted = { resource: "orders", scopes: ["read"] };
  const covering = (now: number) =>
    coveringGrants(world.desk.directory.list({ limit: 9 }, now), wanted, now).map(({ id }) =>
      ids.indexOf(id),
    );
  expect(covering(START)).toEqual([2, 0, 1]);
  expect(covering(START + 150)).toEqual([2, 1]);
  expect(covering(START + 250)).toEqual([1]);
  expect(covering(START + 300)).toEqual([]);
});
