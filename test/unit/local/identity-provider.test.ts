import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from "jose";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import {
  DEMO_CLIENT_ID,
  IDENTITY_AUDIENCE,
  startIdentityProvider,
} from "../../../src/local/identity-provider.ts";
import type { LoopbackServer } from "../../../src/local/loopback-server.ts";
import { signIn } from "../../../src/local/sign-in.ts";

let folder: string;
let keyFile: string;
let provider: LoopbackServer;
const printed: unknown[] = [];

beforeAll(async () => {
  for (const name of ["log", "info", "warn", "error"] as const) {
    vi.spyOn(console, name).mockImplementation((...line) => void printed.push(line));
  }
  folder = await mkdtemp(join(tmpdir(), "portcullis-idp-"));
  keyFile = join(folder, "key.json");
  provider = await startIdentityProvider({ port: 0, keyFile, info: { pid: 42 } });
});
afterAll(async () => {
  vi.restoreAllMocks();
  await provider.close();
  await rm(folder, { recursive: true });
});

function authorize(extra: Record<string, string>): Promise<Response> {
  const query = new URLSearchParams({
    client_id: DEMO_CLIENT_ID,
    redirect_uri: "http://127.0.0.1:9/callback",
    response_type: "code",
    scope: "openid",
    code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    code_challenge_method: "S256",
    ...extra,
  });
  return fetch(`${provider.url}/auth?${query}`, { redirect: "manual" });
}

describe("the demo identity provider", () => {
  it.each([
    ["alice", "developer"],
    ["bob", "approver"],
    ["olivia", "operator"],
  ] as const)("gives %s an access token of RFC 9068 with the role %s", async (user, role) => {
    const token = await signIn({ idp: provider.url, user });
    const keys = createRemoteJWKSet(new URL(`${provider.url}/jwks`));
    const { payload } = await jwtVerify(token, keys, {
      issuer: provider.url,
      audience: IDENTITY_AUDIENCE,
      typ: "at+jwt",
      algorithms: ["ES256"],
    });
    expect(payload).toMatchObject({ sub: user, roles: [role], client_id: DEMO_CLIENT_ID });
    expect(payload.jti).toEqual(expect.any(String));
  });

  it("knows nobody else", async () => {
    await expect(signIn({ idp: provider.url, user: "mallory" as "alice" })).rejects.toThrow("status 400");
  });

  it("goes on to the sign-in page, which says that there is no password", async () => {
    const start = await authorize({});
    expect(start.status).toBe(303);
    const cookie = start.headers
      .getSetCookie()
      .map((line) => line.split(";")[0])
      .join("; ");
    const page = await fetch(new URL(start.headers.get("location")!, provider.url), { headers: { cookie } });
    expect(page.status).toBe(200);
    expect(await page.text()).toContain("There is no password");
  });

  it.each([
    ["a foreign redirect URI", { redirect_uri: "https://attacker.example/callback" }, 400],
    ["an unknown client", { client_id: "other" }, 400],
  ])("refuses %s without a redirect", async (_name, extra, status) => {
    const answer = await authorize(extra);
    expect(answer.status).toBe(status);
    expect(answer.headers.get("location")).toBeNull();
  });

  it("refuses the code flow without PKCE", async () => {
    const answer = await authorize({ code_challenge: "", code_challenge_method: "" });
    expect(answer.status).toBe(303);
    expect(new URL(answer.headers.get("location")!).searchParams.get("error")).toBe("invalid_request");
  });

  it("tells who runs it, and answers a sign-in that is not under way with 400", async () => {
    expect(await (await fetch(`${provider.url}/instance`)).json()).toEqual({ pid: 42 });
    expect((await fetch(`${provider.url}/interaction/none`)).status).toBe(400);
  });

  it("keeps its key over a restart, in a file for the owner alone", async () => {
    const before = decodeProtectedHeader(await signIn({ idp: provider.url, user: "alice" })).kid;
    await provider.close();
    provider = await startIdentityProvider({ port: 0, keyFile });
    expect(decodeProtectedHeader(await signIn({ idp: provider.url, user: "alice" })).kid).toBe(before);
    expect((await stat(keyFile)).mode & 0o777).toBe(0o600);
  });

  it("prints nothing", () => {
    expect(printed).toEqual([]);
  });
});
