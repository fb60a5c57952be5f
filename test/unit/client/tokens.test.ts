import { exportJWK, importJWK, jwtVerify } from "jose";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { newSigningKeyPair, PortcullisOAuthError, type SigningKey } from "../../../src/client/portcullis.ts";
import { verifyDpopProof } from "../../../src/protocol/dpop.ts";
import {
  type Fate,
  FaultyDeployment,
  ISSUER,
  refusal,
  type Sent,
  TOKEN,
} from "../../support/faulty-deployment.ts";

const CREDENTIALS = { clientId: "cli_1", clientSecret: "s3cret&more" };

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: 1_795_325_180_000 });
});

afterEach(() => {
  vi.useRealTimers();
});

/** A deployment whose token endpoint issues `at_1`, `at_2` …, and which refuses what `isGood` does not take. */
function issuing(isGood: (token: string) => boolean = () => true, more: object = {}) {
  let issued = 0;
  const answer: Fate = (sent) => {
    if (sent.path === "/oauth/token") {
      issued++;
      return Response.json({ access_token: `at_${issued}`, token_type: "Bearer", expires_in: 300, ...more });
    }
    return isGood(tokenOf(sent)) ? Response.json({}) : refusal(401, "invalid_token");
  };
  return new FaultyDeployment([], answer);
}

function tokenOf({ headers }: Sent): string {
  return headers.get("authorization")?.split(" ")[1] ?? "";
}

function tokenCalls({ sent }: FaultyDeployment): Sent[] {
  return sent.filter(({ path }) => path === "/oauth/token");
}

describe("client credentials", () => {
  it("get one token for all calls that need one at the same time", async () => {
    const deployment = issuing();
    const { grants } = deployment.client({ credentials: { ...CREDENTIALS, scope: "grants:read" } });
    await Promise.all(Array.from({ length: 10 }, () => grants.get("grt_1")));
    const [call, ...others] = tokenCalls(deployment);
    expect(others).toEqual([]);
    expect(Object.fromEntries(new URLSearchParams(call!.body))).toEqual({
      grant_type: "client_credentials",
      scope: "grants:read",
    });
    // RFC 6749 §2.3.1: form-encoded first.
    expect(atob(call!.headers.get("authorization")!.slice("Basic ".length))).toBe("cli_1:s3cret%26more");
    expect(deployment.sent.filter(({ path }) => path !== "/oauth/token").map(tokenOf)).toEqual(
      Array(10).fill("at_1"),
    );
  });

  it("renew it before it is over, and not earlier", async () => {
    const deployment = issuing();
    const { grants } = deployment.client({ credentials: CREDENTIALS });
    await grants.get("grt_1");
    vi.setSystemTime(Date.now() + 269_000);
    await grants.get("grt_1");
    expect(tokenCalls(deployment)).toHaveLength(1);
    vi.setSystemTime(Date.now() + 2_000);
    await grants.get("grt_1");
    expect(tokenCalls(deployment)).toHaveLength(2);
  });

  it("renew one that is not taken any more, once, also for what is not repeated otherwise", async () => {
    const deployment = issuing((token) => token === "at_2");
    const { accessRequests } = deployment.client({ credentials: CREDENTIALS });
    await accessRequests.review("req_1", { outcome: "approve" });
    expect(deployment.sent.map((sent) => [sent.path.split("/")[1], tokenOf(sent)])).toEqual([
      ["oauth", expect.any(String)],
      ["v1", "at_1"],
      ["oauth", expect.any(String)],
      ["v1", "at_2"],
    ]);
    const never = issuing(() => false);
    const refused = never.client({ credentials: CREDENTIALS }).grants.get("grt_1");
    await expect(refused).rejects.toMatchObject({ code: "invalid_token" });
    expect(tokenCalls(never).length).toBeLessThanOrEqual(3);
  });

  it("renew for all whose token was refused at once", async () => {
    const deployment = issuing((token) => token !== "at_1");
    const { grants } = deployment.client({ credentials: CREDENTIALS });
    await Promise.all(Array.from({ length: 5 }, () => grants.get("grt_1")));
    expect(tokenCalls(deployment)).toHaveLength(2);
  });

  it("try the token endpoint again where it fails, and tell what it refuses without the secret", async () => {
    const once = new FaultyDeployment([new TypeError("down"), new Response("", { status: 503 })], (sent) =>
      sent.path === "/oauth/token"
        ? Response.json({ access_token: "at_1", expires_in: 300 })
        : Response.json({}),
    );
    await once.client({ credentials: CREDENTIALS }).grants.get("grt_1");
    expect(tokenCalls(once)).toHaveLength(3);

    const body = { error: "invalid_client", error_description: "Client authentication failed." };
    const refusing = new FaultyDeployment([], () => Response.json(body, { status: 401 }));
    const call = refusing.client({ credentials: CREDENTIALS }).grants.get("grt_1");
    await expect(call).rejects.toBeInstanceOf(PortcullisOAuthError);
    await expect(call).rejects.toMatchObject({ error: "invalid_client", status: 401 });
    await expect(call).rejects.not.toThrow(CREDENTIALS.clientSecret);
    expect(refusing.sent).toHaveLength(1);

    const nonsense = new FaultyDeployment([], () => new Response("<html>", { status: 200 }));
    await expect(nonsense.client({ credentials: CREDENTIALS }).grants.get("grt_1")).rejects.toMatchObject({
      name: "PortcullisUnreachable",
    });
  });

  it("begin anew after a renewal that failed", async () => {
    const down = Array.from({ length: 4 }, () => new TypeError("down"));
    const deployment = new FaultyDeployment(down, (sent) =>
      sent.path === "/oauth/token"
        ? Response.json({ access_token: "at_1", expires_in: 300 })
        : Response.json({}),
    );
    const { grants } = deployment.client({ credentials: CREDENTIALS });
    await expect(grants.get("grt_1")).rejects.toMatchObject({ name: "PortcullisUnreachable" });
    await expect(grants.get("grt_1")).resolves.toEqual({});
  });

  it("prove themselves with a key, anew each time", async () => {
    const pair = await newSigningKeyPair();
    const deployment = issuing();
    const privateKeyJwt = { key: pair.privateKey, kid: "k1" };
    const { grants } = deployment.client({ credentials: { clientId: "cli_1", privateKeyJwt } });
    await grants.get("grt_1");
    vi.setSystemTime(Date.now() + 400_000);
    await grants.get("grt_1");
    const forms = tokenCalls(deployment).map(({ body }) => new URLSearchParams(body));
    const key = await importJWK(await exportJWK(pair.publicKey as never), "ES256");
    const ids = new Set<unknown>();
    for (const form of forms) {
      expect(form.get("client_assertion_type")).toBe(
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
      );
      const expected = {
        audience: `${ISSUER}/oauth/token`,
        issuer: "cli_1",
        subject: "cli_1",
        clockTolerance: 500,
      };
      const { payload, protectedHeader } = await jwtVerify(form.get("client_assertion")!, key, expected);
      expect(protectedHeader).toMatchObject({ alg: "ES256", kid: "k1" });
      expect(payload.exp! - payload.iat!).toBe(60);
      ids.add(payload.jti);
    }
    expect(ids.size).toBe(2);
  });
});

describe("a session", () => {
  it("keeps each new refresh token before the access token is used, and sends the newest", async () => {
    let round = 0;
    const kept: string[] = [];
    const deployment = new FaultyDeployment([], (sent) => {
      if (sent.path !== "/oauth/token") {
        expect(kept).toHaveLength(round);
        return Response.json({});
      }
      round++;
      return Response.json({ access_token: `at_${round}`, expires_in: 300, refresh_token: `rt_${round}` });
    });
    const onRefresh = (token: string) => void kept.push(token);
    const credentials = { clientId: "cli_1", refreshToken: "rt_0", onRefresh };
    const { grants } = deployment.client({ credentials });
    await grants.get("grt_1");
    vi.setSystemTime(Date.now() + 400_000);
    await grants.get("grt_1");
    expect(kept).toEqual(["rt_1", "rt_2"]);
    const forms = tokenCalls(deployment).map(({ body }) => Object.fromEntries(new URLSearchParams(body)));
    expect(forms).toEqual([
      { grant_type: "refresh_token", refresh_token: "rt_0", client_id: "cli_1" },
      { grant_type: "refresh_token", refresh_token: "rt_1", client_id: "cli_1" },
    ]);
  });
});

describe("a token provider", () => {
  it("is asked for each call, and told which token was refused", async () => {
    const asked: unknown[] = [];
    const deployment = new FaultyDeployment([], (sent) =>
      tokenOf(sent) === "old" ? refusal(401, "invalid_token") : Response.json({}),
    );
    const tokenProvider = (refused?: string) => {
      asked.push(refused);
      return refused === undefined && asked.length === 1 ? "old" : "new";
    };
    const { grants } = deployment.client({ tokenProvider });
    await grants.get("grt_1");
    await grants.get("grt_1");
    expect(asked).toEqual([undefined, "old", undefined]);
  });

  it("is not asked again where a fixed token is refused", async () => {
    const deployment = new FaultyDeployment([], () => refusal(401, "invalid_token"));
    await expect(deployment.client().grants.get("grt_1")).rejects.toMatchObject({ code: "invalid_token" });
    expect(deployment.sent).toHaveLength(1);
  });
});

describe("DPoP", () => {
  it("proves the key with each call and with each token request, whatever the algorithm", async () => {
    const ed25519 = await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"]);
    for (const dpop of [
      await newSigningKeyPair(),
      ed25519 as { publicKey: SigningKey; privateKey: SigningKey },
    ]) {
      const deployment = issuing();
      const { grants } = deployment.client({ credentials: CREDENTIALS, dpop });
      await grants.list({ limit: 1 }).page();
      await grants.get("grt_1");
      const jtis = new Set<string>();
      for (const { url, method, headers, path } of deployment.sent) {
        const nowSeconds = Date.now() / 1000;
        const token = path === "/oauth/token" ? {} : { accessToken: "at_1" };
        const proof = await verifyDpopProof(headers.get("dpop"), { method, url, nowSeconds, ...token });
        expect(proof).toMatchObject({ ok: true });
        if (proof.ok) jtis.add(proof.value.jti);
        if (path !== "/oauth/token") expect(headers.get("authorization")).toBe("DPoP at_1");
      }
      expect(jtis.size).toBe(3);
    }
  });

  it("does as it is told about nonces: at the token endpoint, at a call, and when they change", async () => {
    const nonces: (string | undefined)[] = [];
    const wanted: Record<string, string> = { "/oauth/token": "n1" };
    const deployment = new FaultyDeployment([], async ({ path, headers, url, method }) => {
      const held = JSON.parse(
        atob(headers.get("dpop")!.split(".")[1]!.replaceAll("-", "+").replaceAll("_", "/")),
      );
      expect(`${held.htm} ${held.htu}`).toBe(`${method} ${url.split("?")[0]}`);
      nonces.push(held.nonce);
      const nonce = wanted[path] ?? "n2";
      const told = { "dpop-nonce": nonce };
      if (path === "/oauth/token") {
        const refused = { error: "use_dpop_nonce" };
        if (held.nonce !== nonce) return Response.json(refused, { status: 400, headers: told });
        return Response.json({ access_token: "at_1", expires_in: 300 });
      }
      return held.nonce === nonce ? Response.json({}) : refusal(401, "invalid_token", told);
    });
    const { accessRequests } = deployment.client({
      credentials: CREDENTIALS,
      dpop: await newSigningKeyPair(),
    });
    await accessRequests.review("req_1", { outcome: "approve" });
    await accessRequests.review("req_2", { outcome: "approve" });
    expect(nonces).toEqual([undefined, "n1", "n1", "n2", "n2"]);
    expect(tokenCalls(deployment)).toHaveLength(2);
  });

  it("refuses a key that it cannot sign with, by name", async () => {
    const key = { type: "private", extractable: false, usages: [], algorithm: { name: "HMAC" } };
    const dpop = { publicKey: key, privateKey: key };
    const deployment = new FaultyDeployment([], () => Response.json({}));
    await expect(deployment.client({ token: TOKEN, dpop }).grants.get("grt_1")).rejects.toThrow(/HMAC|key/i);
    expect(deployment.sent).toHaveLength(0);
  });
});
