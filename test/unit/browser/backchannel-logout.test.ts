import { beforeEach, describe, expect, it } from "vitest";
import { endByLogoutToken, type LogoutDeps } from "../../../src/browser/backchannel-logout.ts";
import { policySchema } from "../../../src/policy/document.ts";
import { problem } from "../../../src/protocol/problem.ts";
import { err, ok } from "../../../src/protocol/result.ts";
import { hits, type Revocation } from "../../../src/revocation/rule.ts";
import type { SessionQuery } from "../../../src/revocation/session-record.ts";
import { RemoteKeys } from "../../../src/tokens/remote-keys.ts";
import { newKey, signToken, type TestKey } from "../../support/token-factory.ts";

const NOW = 1_800_000_000;
const IDP = "https://idp.example.com";
const down = err(problem("unavailable", "down"));

let key: TestKey;
let rules: Map<string, Revocation>;
let asked: SessionQuery[];
let ended: string[];
let sessions: string[];
let faults: { append?: boolean; list?: boolean; end?: string };

beforeEach(async () => {
  key ??= await newKey("ES256", "k");
  rules = new Map();
  asked = [];
  ended = [];
  sessions = ["ses_2", "ses_1"];
  faults = {};
});

const keys = new RemoteKeys({ fetch: () => Promise.reject(), clock: () => NOW * 1000, log: () => {} });
const deps = () =>
  ({
    clock: () => NOW * 1000,
    keys,
    policy: async () =>
      ok(
        policySchema.parse({
          issuers: [
            {
              id: "idp",
              issuer: IDP,
              jwks: { keys: [key.jwk] },
              algorithms: ["ES256"],
              audience: "a",
              sign_in: { client_id: "gate" },
            },
          ],
        }),
      ),
    log: {
      revocation: async (id: string) => (rules.has(id) ? ok({}) : err(problem("not_found", "none"))),
      append: async ({ id, rule }: { id: string; rule: Revocation }) => {
        if (faults.append) return down;
        rules.set(id, rule);
        return ok({});
      },
    },
    directory: {
      listSessions: async (query: SessionQuery) => {
        asked.push(query);
        if (faults.list) return down;
        const from = query.cursor === undefined ? 0 : sessions.indexOf(query.cursor) + 1;
        return ok(sessions.slice(from, from + query.limit).map((id) => ({ id })));
      },
    },
    session: (id: string) => ({
      revokeIfHit: async () => {
        if (faults.end === id) return down;
        ended.push(id);
        return ok(null);
      },
    }),
  }) as unknown as LogoutDeps;

const token = (claims: object = {}) =>
  signToken(
    key,
    { alg: "ES256", typ: "logout+jwt", kid: "k" },
    {
      iss: IDP,
      aud: "gate",
      sub: "alice",
      jti: "j-1",
      iat: NOW - 5,
      exp: NOW + 60,
      events: { "http://schemas.openid.net/event/backchannel-logout": {} },
      ...claims,
    },
  );
const send = async (claims: object = {}) => {
  const answer = await endByLogoutToken(await token(claims), deps());
  return answer.ok ? "ok" : answer.error.code;
};

describe("a logout token that is good", () => {
  it("is one rule for what its provider signed up to it, and ends what is listed of its person", async () => {
    expect(await send()).toBe("ok");
    const [rule] = [...rules.values()] as [Revocation];
    expect(rule).toMatchObject({ match: { iss: IDP, sub: "alice" }, actor: "issuer:idp", created_at: NOW });
    const facts = { iss: IDP, sub: "alice", subject: "idp|alice", kid: "k" };
    expect([NOW - 6, NOW - 5, NOW - 4].map((iat) => hits(rule, { ...facts, iat }, NOW))).toEqual([
      true,
      true,
      false,
    ]);
    expect(asked).toEqual([{ subject: "idp|alice", state: "active", limit: 200 }]);
    expect(ended).toEqual(["ses_2", "ses_1"]);
  });

  it("of a session is for that session, also of a person", async () => {
    expect(await send({ sid: "s-1" })).toBe("ok");
    expect([...rules.values()][0]?.match).toEqual({ iss: IDP, sub: "alice", session: "s-1" });
    expect(asked).toEqual([{ provider_session: "s-1", state: "active", limit: 200 }]);
  });

  it("ends all of very many", async () => {
    sessions = Array.from({ length: 450 }, (_, i) => `ses_${i}`);
    expect(await send()).toBe("ok");
    expect(ended).toHaveLength(450);
    expect(asked.map(({ cursor }) => cursor)).toEqual([undefined, "ses_199", "ses_399"]);
  });

  it("counts once, whatever else it says the second time; another one counts again", async () => {
    expect(await send()).toBe("ok");
    ended = [];
    expect(await send()).toBe("invalid_token");
    expect([ended, rules.size]).toEqual([[], 1]);
    expect(await send({ jti: "j-2" })).toBe("ok");
    expect([ended.length, rules.size]).toEqual([2, 2]);
  });

  it("is 503 where the log does not take it: nothing was done, and a repeat does it", async () => {
    faults.append = true;
    expect(await send()).toBe("unavailable");
    expect([asked, ended]).toEqual([[], []]);
    faults = {};
    expect(await send()).toBe("ok");
    expect(ended).toHaveLength(2);
  });

  it.each([
    ["the list", { list: true }],
    ["a session", { end: "ses_1" }],
  ])("is 503 where %s does not answer: the rule stands", async (_what, fault) => {
    faults = fault;
    expect(await send()).toBe("unavailable");
    expect(rules.size).toBe(1);
  });
});

it("a logout token that is not good asks nobody for anything", async () => {
  expect(await send({ aud: "other" })).toBe("invalid_token");
  expect([rules.size, asked, ended]).toEqual([0, [], []]);
});
