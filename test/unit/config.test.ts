import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readConfig } from "../../src/config.ts";
import { RATE_LIMITS } from "../support/rate-limits.ts";

const good = {
  ISSUER: "https://auth.example.com",
  PORTCULLIS_SECRET: "Zk3vU9pQ2sX7wL4nB8mC1yT6rE0hJ5dG_fA-iKoNuVx",
  PORTCULLIS_OPERATOR_SECRET: "b8Qx2LmP5vRt9KcWz3NyHs7JdFg1Ua4EeTo6Yi0BkMn",
  ...Object.fromEntries(
    [
      "AUDIT",
      "KV",
      "LOG",
      "REGISTRY",
      "KEYRING",
      "ACCESS_REQUEST",
      "DIRECTORY",
      "ENDPOINT",
      "DENYLIST",
      "MONITOR",
      "TRAFFIC",
      "DETECTOR",
      "REMEDIATION",
      "RATE_LIMIT",
      "DEVICE_LOGIN",
      "PASSKEY",
      "PROOF",
      "SESSION",
      "SIGNAL_INBOX",
      "STREAM",
      "STATUS_LIST",
    ].map((b) => [b, {}]),
  ),
};

describe("readConfig", () => {
  it("accepts a whole one, and knows what is local", () => {
    expect(readConfig(good)).toMatchObject({
      ok: true,
      value: { issuer: "https://auth.example.com", local: false },
    });
    for (const ISSUER of ["http://localhost:8787", "http://127.0.0.1:8787", "http://[::1]:1"]) {
      expect(readConfig({ ...good, ISSUER })).toMatchObject({ ok: true, value: { local: true } });
    }
  });

  it("knows that a deployment is to be restored by a secret of its own, which is generated too", () => {
    const restored = readConfig({
      ...good,
      PORTCULLIS_RESTORE_SECRET: "YW5vdGhlci1zZWNyZXQtb25seS1mb3ItdGhlLXRlc3Rz",
    });
    expect(restored.ok && restored.value.restoreSecret).toBe("YW5vdGhlci1zZWNyZXQtb25seS1mb3ItdGhlLXRlc3Rz");
    for (const absent of [good, { ...good, PORTCULLIS_RESTORE_SECRET: "" }]) {
      const read = readConfig(absent);
      expect(read.ok && "restoreSecret" in read.value).toBe(false);
    }
    expect(readConfig({ ...good, PORTCULLIS_RESTORE_SECRET: "changeme" }).ok).toBe(false);
  });

  it("takes a previous secret where there is one, and secrets of issuers by their names", () => {
    const previous = "YW5vdGhlci1zZWNyZXQtb25seS1mb3ItdGhlLXRlc3Rz";
    const only = readConfig(good);
    expect(only.ok && only.value.wrapping).toEqual({ PORTCULLIS_SECRET: good.PORTCULLIS_SECRET });
    expect(readConfig({ ...good, PORTCULLIS_SECRET_PREVIOUS: "" })).toEqual(only);
    const both = readConfig({
      ...good,
      PORTCULLIS_SECRET_PREVIOUS: previous,
      ISSUER_SECRET_LEGACY: "x".repeat(32),
    });
    expect(both.ok && both.value.wrapping.PORTCULLIS_SECRET_PREVIOUS).toBe(previous);
    expect(both.ok && [...both.value.issuerSecrets.keys()]).toEqual(["ISSUER_SECRET_LEGACY"]);
  });

  it("takes secrets of our clients at providers by their names, of any length, and never an empty one", () => {
    const read = readConfig({ ...good, SIGN_IN_SECRET_CORP: "short" });
    expect(read.ok && [...read.value.signInSecrets]).toEqual([["SIGN_IN_SECRET_CORP", "short"]]);
    expect(readConfig({ ...good, SIGN_IN_SECRET_CORP: "" })).toEqual({
      ok: false,
      error: ["SIGN_IN_SECRET_CORP: is not set"],
    });
  });

  it("takes the secret that proxies show, and the one before it", () => {
    const present = "cHJveHktc2VjcmV0LW9ubHktZm9yLXRoZS10ZXN0cy0wMQ";
    const previous = "cHJldmlvdXMtcHJveHktc2VjcmV0LWZvci10aGUtdGVzdHM";
    const secretsOf = (more: object) => {
      const read = readConfig({ ...good, ...more });
      return read.ok && read.value.proxySecrets;
    };
    expect(secretsOf({})).toEqual([]);
    expect(secretsOf({ PORTCULLIS_FORWARD_AUTH_SECRET: "" })).toEqual([]);
    // Without one in use, forward auth is off.
    expect(secretsOf({ PORTCULLIS_FORWARD_AUTH_SECRET_PREVIOUS: previous })).toEqual([]);
    expect(secretsOf({ PORTCULLIS_FORWARD_AUTH_SECRET: present })).toEqual([present]);
    const both = {
      PORTCULLIS_FORWARD_AUTH_SECRET: present,
      PORTCULLIS_FORWARD_AUTH_SECRET_PREVIOUS: previous,
    };
    expect(secretsOf(both)).toEqual([present, previous]);
  });

  it("knows the rate limiters by the names that the policy uses", () => {
    const binding = { limit: async () => ({ success: true }) };
    const read = readConfig({ ...good, LIMITER_BURST_10S: binding, LIMITER_A_B_60S: binding });
    expect(read.ok && [...read.value.limiters]).toEqual([
      ["burst_10s", { binding, periodSeconds: 10 }],
      ["a_b_60s", { binding, periodSeconds: 60 }],
    ]);
  });

  it("has the limiters of wrangler.toml under names that tell their period, in the tests too", () => {
    const toml = readFileSync(new URL("../../wrangler.toml", import.meta.url).pathname, "utf8");
    const found = [
      ...toml.matchAll(
        /name = "(LIMITER_\w+)"\nnamespace_id = "(\d+)"\nsimple = \{ limit = (\d+), period = (\d+) \}/g,
      ),
    ];
    const limiters = found.map(([, name, namespace_id, limit, period]) => [
      name,
      { namespace_id, simple: { limit: Number(limit), period: Number(period) } },
    ]);
    expect(limiters).toEqual(Object.entries(RATE_LIMITS));
    for (const [, name, , , period] of found) expect(name!.endsWith(`_${period}S`)).toBe(true);
    expect(readConfig({ ...good, ...RATE_LIMITS }).ok).toBe(true);
  });

  it.each([
    ["PORTCULLIS_FORWARD_AUTH_SECRET", "short", "at least 32"],
    ["PORTCULLIS_FORWARD_AUTH_SECRET_PREVIOUS", "short", "at least 32"],
    ["PORTCULLIS_FORWARD_AUTH_SECRET", good.PORTCULLIS_SECRET, "must differ"],
    ["PORTCULLIS_FORWARD_AUTH_SECRET", good.PORTCULLIS_OPERATOR_SECRET, "must differ"],
    ["ISSUER", "", "is not set"],
    ["ISSUER", undefined, "is not set"],
    ["ISSUER", "http://auth.example.com", "must be an https origin"],
    ["ISSUER", "https://auth.example.com/", "must be an https origin"],
    ["ISSUER", "https://auth.example.com/path", "must be an https origin"],
    ["ISSUER", "http://localhost.example.com", "must be an https origin"],
    ["ISSUER", "https://user@auth.example.com", "must be an https origin"],
    ["PORTCULLIS_SECRET", "", "is not set"],
    ["PORTCULLIS_SECRET", "short", "at least 32"],
    ["PORTCULLIS_SECRET", "a".repeat(64), "not a random secret"],
    ["PORTCULLIS_SECRET", "change-me-0123456789-abcdefghijklmnop", "sample value"],
    ["PORTCULLIS_OPERATOR_SECRET", undefined, "is not set"],
    ["PORTCULLIS_OPERATOR_SECRET", good.PORTCULLIS_SECRET, "must differ"],
    ["PORTCULLIS_SECRET_PREVIOUS", good.PORTCULLIS_SECRET, "must be the secret before"],
    ["PORTCULLIS_SECRET_PREVIOUS", "short", "at least 32"],
    ["ISSUER_SECRET_LEGACY", "x".repeat(31), "at least 32 bytes"],
    ["ISSUER_SECRET_LEGACY", undefined, "at least 32 bytes"],
    ["LIMITER_BURST", {}, "must end in the limiter's period"],
    ["LIMITER_BURST_30S", {}, "must end in the limiter's period"],
    ["LIMITER_burst_10S", {}, "must end in the limiter's period"],
    ["KV", undefined, "the binding is missing"],
    ["LOG", undefined, "the binding is missing"],
  ])("refuses %s = %j and says why", (name, value, why) => {
    const result = readConfig({ ...good, [name]: value });
    expect(result.ok).toBe(false);
    const faults = result.ok ? [] : result.error;
    expect(faults.some((fault) => fault.startsWith(`${name}: `) && fault.includes(why))).toBe(true);
  });

  it("names every fault at once and never a value", () => {
    const result = readConfig({ ...good, ISSUER: "nonsense", PORTCULLIS_SECRET: "hunter2", KV: undefined });
    const text = JSON.stringify(result);
    expect(text).toMatch(/ISSUER.*PORTCULLIS_SECRET|PORTCULLIS_SECRET.*ISSUER/);
    expect(text).toContain("KV: ");
    expect(text).not.toContain("hunter2");
    expect(text).not.toContain("nonsense");
  });
});
