import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CliUser } from "../../support/cli-user.ts";

const POLICY = `
origins: { api: { url: "https://orders.internal", audience: "urn:orders" } }
routes:
  - { id: open, path: /open, origin: api, access: public }
  - { id: orders, path: "/orders/:id", methods: [GET], origin: api, access: { scopes: ["orders:read"], resource: orders } }
  - { id: staff, path: /staff, origin: api, access: { roles: [staff], step_up: { max_age_seconds: 60 } } }
  - { id: eu, path: /eu, origin: api, access: { condition: 'cf.country == "DE"' } }
`;
const url = (path: string) => `https://api.example.com${path}`;
const TESTS = [
  { name: "open", request: { url: url("/open") }, expect: { outcome: "allow", reason: "public" } },
  { name: "hostile", request: { url: url("/open/..%2fx") }, expect: { outcome: "refuse" } },
  { name: "none", request: { url: url("/else") }, expect: { outcome: "refuse", reason: "no_route" } },
  {
    name: "method",
    request: { method: "POST", url: url("/orders/1") },
    expect: { outcome: "refuse", reason: "method_not_allowed" },
  },
  {
    name: "no token",
    request: { url: url("/orders/1") },
    expect: { outcome: "refuse", reason: "credential_missing", route: "orders" },
  },
  {
    name: "granted",
    request: { url: url("/orders/1") },
    token: { subject: "a", scope: "orders:read", resources: ["orders"] },
    expect: { outcome: "allow", route: "orders" },
  },
  {
    name: "other resource",
    request: { url: url("/orders/1") },
    token: { subject: "a", scope: "orders:read", resources: ["payouts"] },
    expect: { outcome: "refuse", reason: "resource_not_granted" },
  },
  {
    name: "other audience",
    request: { url: url("/orders/1") },
    token: { subject: "a", scope: "orders:read", audience: "urn:else" },
    expect: { outcome: "refuse", reason: "wrong_audience" },
  },
  {
    name: "fresh",
    request: { url: url("/staff") },
    token: { subject: "a", roles: ["staff"], signed_in_seconds_ago: 10 },
    expect: { outcome: "allow" },
  },
  {
    name: "stale",
    request: { url: url("/staff") },
    token: { subject: "a", roles: ["staff"], signed_in_seconds_ago: 100 },
    expect: { outcome: "refuse", reason: "step_up_needed" },
  },
  {
    name: "there",
    request: { url: url("/eu"), cf: { country: "DE" } },
    token: { subject: "a" },
    expect: { outcome: "allow" },
  },
  {
    name: "elsewhere",
    request: { url: url("/eu"), cf: { country: "FR" } },
    token: { subject: "a" },
    expect: { outcome: "refuse", reason: "condition_not_met" },
  },
];

let folder: string;
let user: CliUser;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "portcullis-trial-"));
  user = await CliUser.at({});
});

afterAll(async () => {
  await user.stop();
  await rm(folder, { recursive: true });
});

const run = async (policy: string, tests: object) => {
  const paths = [join(folder, "policy.yaml"), join(folder, "tests.yaml")] as const;
  await writeFile(paths[0], policy);
  await writeFile(paths[1], JSON.stringify(tests));
  return user.run(["policy", "test", ...paths]);
};

describe("policy test", () => {
  it("decides sample requests as the gate does, without a deployment", async () => {
    const answer = await run(POLICY, { tests: TESTS });
    expect(answer).toMatchObject({ code: 0, err: `${TESTS.length} passed, 0 failed\n` });
  });

  it("fails, and says how, where a decision is another one", async () => {
    const turned = TESTS.map((test) => ({
      ...test,
      expect: { outcome: test.expect.outcome === "allow" ? "refuse" : "allow" },
    }));
    const answer = await run(POLICY, { tests: turned });
    expect(answer.code).toBe(1);
    expect(answer.err).toContain(`0 passed, ${TESTS.length} failed`);
    expect(answer.out).toContain("✗ open: expected refuse, got allow (public) by route open");
  });

  it("names the place of what is wrong, in the policy and in the tests", async () => {
    expect(await run(POLICY.replace("scopes:", "scoops:"), { tests: TESTS })).toMatchObject({
      code: 1,
      err: expect.stringMatching(/policy\.yaml:5:\d+: .*scoops/s),
    });
    expect(
      await run(POLICY, { tests: [{ name: "x", request: {}, expect: { outcome: "maybe" } }] }),
    ).toMatchObject({
      code: 2,
      err: expect.stringContaining("tests.0.request.url"),
    });
    expect(await run(POLICY, {})).toMatchObject({ code: 2 });
  });
});

describe("init", () => {
  it("writes files that pass their own tests, keeps the secrets to their owner, and changes nothing that is there", async () => {
    const dir = await mkdtemp(join(tmpdir(), "portcullis-init-"));
    const args = [
      ...["init", "--issuer", "https://auth.example.com", "--origin", "https://orders.internal"],
      ...[
        "--provider",
        "https://idp.example.com",
        "--provider-client",
        "gate",
        "--jwks-uri",
        "https://idp.example.com/jwks",
      ],
      ...["--dir", dir],
    ];
    const first = await user.run(args);
    expect(first).toMatchObject({
      code: 0,
      out: expect.stringContaining("production.secrets, policy.yaml, policy.test.yaml"),
    });
    expect(
      await user.run(["policy", "test", join(dir, "policy.yaml"), join(dir, "policy.test.yaml")]),
    ).toMatchObject({ code: 0 });
    expect(await user.run(args)).toMatchObject({
      code: 0,
      out: expect.stringContaining("nothing was changed"),
    });
    expect(first.out + first.err).not.toMatch(/SECRET=[\w-]{20}/);
    expect(await user.run([...args.slice(0, 4), "not a url", ...args.slice(5)])).toMatchObject({ code: 2 });
    await rm(dir, { recursive: true });
  });
});

describe("policy import", () => {
  it("writes a policy and lists what it does otherwise", async () => {
    const kong = join(folder, "kong.yaml");
    await writeFile(
      kong,
      "services: [{ name: a, url: 'https://a.internal', routes: [{ name: r, paths: [/a], strip_path: false }], plugins: [{ name: acl }] }]",
    );
    const answer = await user.run(["policy", "import", "kong", kong]);
    expect(answer).toMatchObject({
      code: 0,
      out: expect.stringContaining("portcullis-left-out"),
      err: expect.stringContaining("acl"),
    });
    expect(await user.run(["policy", "import", "traefik", kong])).toMatchObject({
      code: 2,
      err: expect.stringContaining("oathkeeper, oauth2-proxy, kong, api-shield"),
    });
    expect(await user.run(["policy", "import", "kong", join(folder, "none.yaml")])).toMatchObject({
      code: 2,
    });
  });
});
