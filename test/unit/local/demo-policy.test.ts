import { describe, expect, it } from "vitest";
import { demoPolicy, moveAddresses } from "../../../src/local/demo-policy.ts";
import { approversOf } from "../../../src/policy/access-rules.ts";
import { checkPolicy } from "../../../src/policy/check.ts";
import { policySchema } from "../../../src/policy/document.ts";

const before = { origin: "http://127.0.0.1:8788", identityProvider: "http://127.0.0.1:8789" };
const after = { origin: "http://127.0.0.1:8798", identityProvider: "http://127.0.0.1:8799" };

describe("demoPolicy", () => {
  it("is a policy that a local gate takes, and another one refuses for its http addresses", () => {
    expect(checkPolicy(demoPolicy(before), { issuer: "http://localhost:8787", local: true }).ok).toBe(true);
    const elsewhere = { issuer: "https://auth.example.com", local: false };
    expect(checkPolicy(demoPolicy(before), elsewhere).ok).toBe(false);
  });

  it("lets nobody review who may ask", () => {
    for (const rule of policySchema.parse(demoPolicy(before)).access_rules) {
      expect(
        approversOf(rule)
          .flatMap(({ roles }) => roles)
          .filter((role) => rule.requesters.roles.includes(role)),
      ).toEqual([]);
    }
  });
});

describe("moveAddresses", () => {
  it("moves every address and nothing else", () => {
    expect(moveAddresses(demoPolicy(before), before, after)).toEqual(demoPolicy(after));
  });

  it("has nothing to do where no address changed", () => {
    expect(moveAddresses(demoPolicy(before), before, before)).toBeUndefined();
  });

  it("keeps what the user changed", () => {
    const mine = demoPolicy({ ...before, origin: "http://127.0.0.1:3000" });
    const moved = moveAddresses(mine, before, after);
    expect(moved?.origins.demo.url).toBe("http://127.0.0.1:3000");
    expect(moved?.issuers[0]?.issuer).toBe(after.identityProvider);
  });

  it("leaves a policy alone that has no part of the demo", () => {
    expect(moveAddresses({ issuers: [], origins: {} }, before, after)).toBeUndefined();
  });
});
