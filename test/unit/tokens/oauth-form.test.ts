import { describe, expect, it } from "vitest";
import { oauthError, oauthErrorResponse, tooManyRequests } from "../../../src/protocol/oauth-error.ts";
import { knownParameters, readForm } from "../../../src/tokens/oauth-form.ts";

const FORM = "application/x-www-form-urlencoded";
const refused = (error: string) => ({ ok: false, error: { error } });

describe("readForm", () => {
  it("reads parameters, and takes one without a value for left out (RFC 6749 §3.2)", () => {
    const form = readForm(`${FORM}; charset=UTF-8`, "grant_type=x&scope=a+b%20c&audience=");
    expect(form).toMatchObject({ ok: true });
    expect(form.ok && Object.fromEntries(form.value)).toEqual({ grant_type: "x", scope: "a b c" });
    expect(readForm(FORM, "")).toMatchObject({ ok: true });
  });

  it.each([
    ["no media type", undefined, "a=b"],
    ["JSON", "application/json", "{}"],
    ["another charset", `${FORM}; charset=latin1`, "a=b"],
    ["a longer type", `${FORM}x`, "a=b"],
    ["a percent sign that escapes nothing", FORM, "a=%zz"],
    ["a cut escape", FORM, "a=%2"],
    ["bytes that are no UTF-8", FORM, "a=%ff"],
    ["a parameter twice", FORM, "scope=a&scope=a"],
    ["a parameter twice, once empty", FORM, "scope=&scope=a"],
    ["too many", FORM, Array.from({ length: 65 }, (_, i) => `p${i}=1`).join("&")],
  ])("refuses %s", (_what, type, text) => {
    expect(readForm(type, text)).toMatchObject(refused("invalid_request"));
  });

  it.each(["resource", "audience"])("refuses a second %s as a target (RFC 8707 §2)", (name) => {
    expect(readForm(FORM, `${name}=a&${name}=b`)).toMatchObject(refused("invalid_target"));
  });

  it("lets through 64 parameters", () => {
    const text = Array.from({ length: 64 }, (_, i) => `p${i}=1`).join("&");
    expect(readForm(FORM, text)).toMatchObject({ ok: true });
  });
});

describe("knownParameters", () => {
  it("names what is not known, in characters that a description may have", () => {
    const form = new URLSearchParams({ scope: "x", client_id: "c", 'su"b\\ject\n': "x" });
    const answer = knownParameters(form, ["scope"]);
    expect(answer).toMatchObject(refused("invalid_request"));
    expect(!answer.ok && answer.error.description).toContain("su'b?ject?");
    form.delete('su"b\\ject\n');
    expect(knownParameters(form, ["scope"])).toMatchObject({ ok: true });
  });
});

describe("an OAuth error", () => {
  it.each([
    [oauthError("invalid_request", "x"), 400],
    [oauthError("invalid_client", "x"), 401],
    [oauthError("access_denied", "x"), 400],
    [oauthError("slow_down", "x"), 400],
    [tooManyRequests("x", 7), 429],
    [oauthError("temporarily_unavailable", "x"), 503],
  ])("%j has the status %i and is kept by nobody", (fault, status) => {
    const response = oauthErrorResponse(fault);
    expect(response.status).toBe(status);
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.get("pragma")).toBe("no-cache");
    expect(response.headers.has("www-authenticate")).toBe(status === 401);
    expect(response.headers.get("retry-after")).toBe(status === 429 ? "7" : status === 503 ? "1" : null);
  });

  it("of a backchannel request that is denied is 403 (CIBA §13)", () => {
    expect(oauthErrorResponse(oauthError("access_denied", "x"), 403).status).toBe(403);
    expect(oauthErrorResponse(oauthError("invalid_request", "x"), 403).status).toBe(400);
  });

  it("has a description of the characters that are allowed (RFC 6749 §5.2)", async () => {
    const response = oauthErrorResponse(oauthError("invalid_request", 'é "quoted" \\ x'));
    expect(await response.json()).toEqual({
      error: "invalid_request",
      error_description: "? 'quoted' ? x",
    });
  });
});
