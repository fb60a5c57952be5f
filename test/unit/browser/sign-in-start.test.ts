import { beforeEach, describe, expect, it } from "vitest";
import type { BrowserDeps } from "../../../src/browser/ports.ts";
import { Sealed } from "../../../src/browser/sealed.ts";
import { SESSION_COOKIE } from "../../../src/browser/session-cookie.ts";
import { signIn } from "../../../src/browser/sign-in-start.ts";
import { SecretBox } from "../../../src/platform/secret-box.ts";
import { policySchema } from "../../../src/policy/document.ts";
import { problem } from "../../../src/protocol/problem.ts";
import { err, ok, type Result } from "../../../src/protocol/result.ts";
import type { SessionRecord } from "../../../src/revocation/session-record.ts";
import { SECRET } from "../../support/runtime.ts";

const ISSUER = "https://auth.example.com";
const APP = "https://app.example.com/x?y";
const CHALLENGE = "c".repeat(43);
const provider = (id: string) => ({
  id,
  issuer: `https://${id}.example.com`,
  jwks_uri: `https://${id}.example.com/jwks`,
  algorithms: ["ES256"],
  audience: "a",
  sign_in: { client_id: "gate" },
});
const box = (purpose: string) => new SecretBox({ PORTCULLIS_SECRET: SECRET }, purpose);

let providers: string[];
let live: Result<SessionRecord>;
const deps = {
  issuer: ISSUER,
  local: false,
  clock: () => 1_800_000_000_000,
  log: () => {},
  policy: async () =>
    ok(
      policySchema.parse({
        issuers: providers.map(provider),
        sessions: {},
        routes: [
          {
            id: "app",
            host: "app.example.com",
            path: "/**",
            origin: "o",
            access: {},
            credential: [{ from: "session" }],
          },
        ],
      }),
    ),
  sessionOf: async (cookie: string) => (cookie === "good" ? "ses_1" : undefined),
  session: () => ({ who: async () => live }),
  providers: async () => ({
    authorizationUrl: async ({ id }: { id: string }) => ok(`https://${id}.example.com/auth`),
  }),
  signIns: new Sealed(box("sign-in")),
  handOvers: new Sealed(box("session-hand-over")),
} as unknown as BrowserDeps;

beforeEach(() => {
  providers = ["corp"];
  live = ok({ id: "ses_1", subject: "corp|alice" } as SessionRecord);
});

async function begin(query: Record<string, string>, cookie = "") {
  const url = `${ISSUER}/session/sign-in?${new URLSearchParams(query)}`;
  const answer = await signIn(new Request(url, { headers: { cookie } }), deps);
  const { status, headers } = answer;
  return { status, to: headers.get("location"), cookies: headers.getSetCookie(), text: await answer.text() };
}

describe("a sign-in", () => {
  it("goes to the only provider, or to the one that is named", async () => {
    expect(await begin({})).toMatchObject({ status: 303, to: "https://corp.example.com/auth" });
    providers = ["corp", "school"];
    expect(await begin({ provider: "school" })).toMatchObject({ to: "https://school.example.com/auth" });
  });

  it("has somebody choose among several, with all that was asked for", async () => {
    providers = ["corp", "school"];
    const { status, text, cookies } = await begin({ return_to: APP, challenge: CHALLENGE });
    expect([status, cookies]).toEqual([200, []]);
    const [, chosen = ""] = /href="([^"]+)">school</.exec(text) ?? [];
    const { searchParams } = new URL(chosen.replaceAll("&amp;", "&"), ISSUER);
    expect(Object.fromEntries(searchParams)).toEqual({
      return_to: APP,
      challenge: CHALLENGE,
      provider: "school",
    });
  });

  it("is nothing at a provider that is not there, or where nobody signs in", async () => {
    expect(await begin({ provider: "other" })).toMatchObject({ status: 404, to: null });
    providers = [];
    expect(await begin({})).toMatchObject({ status: 404, to: null });
  });

  it.each([
    ["", 400],
    ["short", 400],
    [CHALLENGE, 303],
  ])("for another host needs that host's challenge: %j", async (challenge, status) => {
    const { cookies, ...answer } = await begin({ return_to: APP, ...(challenge ? { challenge } : {}) });
    expect(answer.status).toBe(status);
    expect(cookies).toHaveLength(status === 303 ? 1 : 0);
  });

  it("for another host goes straight on where the issuer's host has a session that is alive", async () => {
    const asked = { return_to: APP, challenge: CHALLENGE };
    const { to } = await begin(asked, `${SESSION_COOKIE}=good`);
    const { origin, pathname, searchParams } = new URL(to!);
    expect(origin + pathname).toBe("https://app.example.com/.portcullis/session");
    const code = searchParams.get("code")!;
    expect(await deps.handOvers.open(code, "app.example.com", 1_800_000_000)).toMatchObject({
      session_id: "ses_1",
      challenge: CHALLENGE,
      return_to: APP,
    });
    expect(await deps.handOvers.open(code, "other.example.com", 1_800_000_000)).toBeUndefined();
    expect(await deps.handOvers.open(code, "app.example.com", 1_800_000_060)).toBeUndefined();
    expect(await begin(asked, `${SESSION_COOKIE}=made-up`)).toMatchObject({
      to: "https://corp.example.com/auth",
    });
    live = err(problem("invalid_token", "over"));
    expect(await begin(asked, `${SESSION_COOKIE}=good`)).toMatchObject({
      to: "https://corp.example.com/auth",
    });
  });

  it("on the issuer's own host is always a new one", async () => {
    const { to } = await begin({ return_to: "/x" }, `${SESSION_COOKIE}=good`);
    expect(to).toBe("https://corp.example.com/auth");
  });
});
