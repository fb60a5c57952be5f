import { describe, expect, it } from "vitest";
import { readConfig } from "../../src/config.ts";

const good = {
  ISSUER: "https://auth.example.com",
  PORTCULLIS_SECRET: "Zk3vU9pQ2sX7wL4nB8mC1yT6rE0hJ5dG_fA-iKoNuVx",
  PORTCULLIS_OPERATOR_SECRET: "b8Qx2LmP5vRt9KcWz3NyHs7JdFg1Ua4EeTo6Yi0BkMn",
  ...Object.fromEntries(
    [
      "KV",
      "LOG",
      "REGISTRY",
      "KEYRING",
      "ACCESS_REQUEST",
      "DIRECTORY",
      "ENDPOINT",
      "DENYLIST",
      "MONITOR",
      "SESSION",
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

  it.each([
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
