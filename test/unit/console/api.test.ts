import { describe, expect, it } from "vitest";
import { Api } from "../../../src/console/api.ts";
import { problem } from "../../../src/protocol/problem.ts";
import { err, ok } from "../../../src/protocol/result.ts";

const REFUSED = { "www-authenticate": 'Bearer realm="https://gate.example", error="invalid_token"' };
const STEP_UP = { "www-authenticate": 'Bearer realm="x", error="insufficient_user_authentication"' };

/** A control plane that takes the tokens of `good` alone, and answers others with this challenge. */
function world({ good = ["new"], challenge = REFUSED, renews = true } = {}) {
  const calls: string[] = [];
  const renewals: string[] = [];
  const control = async (request: Request) => {
    const token = request.headers.get("authorization")!.replace("Bearer ", "");
    calls.push(`${request.method} ${token} ${await request.text()}`);
    if (good.includes(token)) return Response.json({ token });
    return Response.json({ code: "invalid_token", detail: "no" }, { status: 401, headers: challenge });
  };
  const renewed = async (refused: string) => {
    renewals.push(refused);
    return renews ? ok({ access_token: "new" }) : err(problem("invalid_token", "The session is over."));
  };
  const deps = { issuer: "https://gate.example", control };
  const context = { requestId: "dec_1", waitUntil: () => {} };
  return { api: new Api(deps, { accessToken: "old", renewed }, context), calls, renewals };
}

describe("a page's calls with a token that is refused before its time", () => {
  it("are made again with the session's next one, which all of them share", async () => {
    const { api, calls, renewals } = world();
    expect(await Promise.all([api.get("/v1/a"), api.get("/v1/b")])).toEqual(
      Array.from({ length: 2 }, () => ok({ token: "new" })),
    );
    expect(await api.post("/v1/c", { x: 1 })).toEqual(ok({ token: "new" }));
    expect(renewals).toEqual(["old"]);
    expect(calls.filter((each) => each.startsWith("POST"))).toEqual(['POST old {"x":1}', 'POST new {"x":1}']);
  });

  it("are refused where the session gives no other, or the next one is refused as well", async () => {
    for (const told of [world({ renews: false }), world({ good: [] })]) {
      expect(await told.api.get("/v1/a")).toMatchObject({ ok: false, error: { code: "invalid_token" } });
      expect(told.renewals).toEqual(["old"]);
    }
  });

  it("ask for no other where it is good, or where it was refused for what the next one would lack too", async () => {
    const fine = world({ good: ["old"] });
    expect(await fine.api.get("/v1/a")).toEqual(ok({ token: "old" }));
    const stepUp = world({ challenge: STEP_UP });
    expect((await stepUp.api.get("/v1/a")).ok).toBe(false);
    expect([...fine.renewals, ...stepUp.renewals]).toEqual([]);
  });
});
