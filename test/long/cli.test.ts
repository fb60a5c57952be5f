import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { AccessRequest, Grant } from "../../src/client/portcullis.ts";
import { BROWSER_CLIENT_ID, startIdentityProvider } from "../../src/local/identity-provider.ts";
import type { LoopbackServer } from "../../src/local/loopback-server.ts";
import { Browser } from "../support/browser.ts";
import { CliUser } from "../support/cli-user.ts";
import { bodyOf } from "../support/deployment.ts";
import { Receiver } from "../support/receiver.ts";
import { freeIssuer } from "../support/runtime.ts";
import { type Stand, standUp } from "../support/stand.ts";

const CLIENT_SECRET = "c2VjcmV0LW9mLXRoZS1nYXRlLWF0LXRoZS1kZW1v";
const OPERATOR_SCOPES = [
  ...["revocations:read", "revocations:write", "keys:rotate", "policy:read", "policy:write", "webhooks:read"],
  ...[
    "audit:read",
    "webhooks:write",
    "grants:read",
    "grants:revoke",
    "sessions:read",
    "requests:read",
    "requests:read_all",
  ],
];

let folder: string;
let idp: LoopbackServer;
let stand: Stand;
let issuer: string;
let alice: CliUser;
let bob: CliUser;
let operator: CliUser;
let nobody: CliUser;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "portcullis-cli-test-"));
  issuer = await freeIssuer();
  idp = await startIdentityProvider({
    port: 0,
    keyFile: join(folder, "idp.json"),
    gate: { issuer, secret: CLIENT_SECRET },
  });
  stand = await standUp(
    ((base: { issuers: object[]; roles: object; access_rules: object[] }) => ({
      ...base,
      issuers: base.issuers.map((each) => ({
        ...each,
        sign_in: { client_id: BROWSER_CLIENT_ID, client_secret_ref: "SIGN_IN_SECRET_DEMO" },
      })),
      roles: {
        ...base.roles,
        developer: { scopes: ["requests:create", "requests:read"] },
        approver: {
          scopes: ["requests:read", "requests:read_all", "requests:review", "grants:read", "grants:revoke"],
        },
        operator: { scopes: OPERATOR_SCOPES },
      },
      sessions: {},
    })) as never,
    idp.url,
    () => ({ variables: { SIGN_IN_SECRET_DEMO: CLIENT_SECRET } }),
    issuer,
  );
  const users = await Promise.all([CliUser.at({}), CliUser.at({}), CliUser.at({}), CliUser.at({})]);
  [alice, bob, operator, nobody] = users as [CliUser, CliUser, CliUser, CliUser];
  const logins = [
    [alice, "alice"],
    [bob, "bob"],
    [operator, "olivia"],
  ] as const;
  // At once: each waits five seconds between two questions whether somebody has answered (RFC 8628).
  await Promise.all(
    logins.map(async ([user, person]) =>
      expect(await user.login(issuer, new Browser(person))).toMatchObject({
        code: 0,
        out: expect.stringContaining(`demo|${person}`),
      }),
    ),
  );
});

afterAll(async () => {
  for (const user of [alice, bob, operator, nobody]) await user?.stop();
  await stand?.stop();
  await idp?.close();
  await rm(folder, { recursive: true, force: true });
});

const ask = (user: CliUser, ...more: string[]) =>
  user.json<AccessRequest>([
    "request",
    "orders",
    "--scope",
    "orders:read",
    "--for",
    "10m",
    "--reason",
    "ticket 42",
    ...more,
  ]);
const file = async (name: string, text: string) => {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
};

describe("signing in", () => {
  it("keeps the session in a file for its owner alone, and says who it is", async () => {
    const keyring = join(alice.home, ".config", "portcullis", "keyring.json");
    expect((await stat(keyring)).mode & 0o777).toBe(0o600);
    expect(await alice.json(["whoami"])).toMatchObject({
      issuer,
      subject: "demo|alice",
      scope: "requests:create requests:read",
    });
    await chmod(keyring, 0o644);
    expect(await alice.run(["whoami"])).toMatchObject({ code: 2, err: expect.stringContaining("chmod 600") });
    await chmod(keyring, 0o600);
    expect((await alice.run(["whoami"])).out).not.toMatch(/eyJ|prt_/);
  });

  it("renews what has ended, once for commands that run at once, and ends with logout", async () => {
    const user = await CliUser.at({});
    await user.login(issuer, new Browser("alice"));
    const path = join(user.home, ".config", "portcullis", "keyring.json");
    const before = JSON.parse(await readFile(path, "utf8"));
    before.sessions[issuer].expires_at = 0;
    await writeFile(path, JSON.stringify(before), { mode: 0o600 });
    const answers = await Promise.all(Array.from({ length: 5 }, () => user.run(["requests", "list"])));
    expect(answers.map(({ code }) => code)).toEqual([0, 0, 0, 0, 0]);
    expect(await user.run(["logout"])).toMatchObject({ code: 0 });
    expect(await user.run(["requests", "list", "--issuer", issuer])).toMatchObject({
      code: 3,
      err: expect.stringContaining("portcullis login"),
    });
    const stolen = {
      grant_type: "refresh_token",
      client_id: "portcullis-cli",
      refresh_token: before.sessions[issuer].refresh_token,
    };
    expect((await stand.gate.call("/oauth/token", { form: stolen })).status).toBe(400);
    await user.stop();
  });

  it("gets nothing where the person says no, and says so where nobody is there", async () => {
    const user = await CliUser.at({});
    expect(await user.login(issuer, new Browser("alice"), "deny")).toMatchObject({
      code: 1,
      err: expect.stringContaining("said no"),
    });
    expect(await user.run(["whoami", "--issuer", "http://127.0.0.1:9"])).toMatchObject({ code: 3 });
    expect(await user.run(["login", "--issuer", "http://127.0.0.1:9"])).toMatchObject({ code: 4 });
    await user.stop();
  });
});

describe("asking and approving", () => {
  it("goes from the question to the token and back, by two people", async () => {
    const asked = await ask(alice);
    expect(asked.state).toBe("pending");
    expect(await alice.run(["approve", asked.id])).toMatchObject({ code: 1 });
    expect((await bob.run(["requests", "list", "--reviewable"])).out).toContain(asked.id);
    const waiting = alice.run(["requests", "show", asked.id, "--wait", "30s"]);
    expect(await bob.run(["approve", asked.id, "--for", "5m", "--comment", "five are enough"])).toMatchObject(
      { code: 0 },
    );
    expect(await waiting).toMatchObject({ code: 0, out: expect.stringContaining("five are enough") });
    const { code, out } = await alice.run(["token", "orders", "--scope", "orders:read"]);
    expect(code).toBe(0);
    expect((await stand.gate.call("/orders", { token: out.trim() })).status).toBe(200);
    const [grant] = await alice.json<Grant[]>(["grants", "list", "--state", "active"]);
    expect(
      (await alice.run(["grants", "extend", grant!.id, "--for", "5m", "--reason", "more"])).out,
    ).toContain("pending");
    expect(await alice.run(["grants", "return", grant!.id])).toMatchObject({
      code: 0,
      out: expect.stringContaining("refused everywhere by"),
    });
    await expect
      .poll(async () => (await stand.gate.call("/orders", { token: out.trim() })).status, { timeout: 10_000 })
      .toBe(401);
    expect(await alice.run(["token", "orders", "--scope", "orders:read"])).toMatchObject({ code: 1 });
  });

  it("tells a denial, a wait in vain and what was withdrawn apart", async () => {
    const first = await ask(alice);
    const waiting = alice.run(["requests", "show", first.id, "--wait", "20s"]);
    await bob.run(["deny", first.id, "--comment", "use the report"]);
    expect(await waiting).toMatchObject({ code: 1, err: expect.stringContaining("denied: use the report") });
    const second = await ask(alice);
    expect(await alice.run(["requests", "show", second.id, "--wait", "1s"])).toMatchObject({ code: 5 });
    expect((await alice.run(["cancel", second.id])).out).toContain("cancelled");
    const aborted = new AbortController();
    const third = await ask(alice);
    const interrupted = alice.run(["requests", "show", third.id, "--wait"], { signal: aborted.signal });
    setTimeout(() => aborted.abort(), 300);
    expect(await interrupted).toMatchObject({ code: 130, err: expect.stringContaining("Interrupted") });
    await alice.run(["cancel", third.id]);
  });

  it("runs a command with a token that is given back after it, and with the command's own exit code", async () => {
    const script =
      'curl -s -o /dev/null -w "%{http_code}" -H "authorization: Bearer $PORTCULLIS_TOKEN" "$0/orders" > "$1"; exit 7';
    const out = join(folder, "status");
    const running = alice.run([
      "run",
      "--resource",
      "orders",
      "--scope",
      "orders:read",
      "--reason",
      "nightly",
      "--",
      "sh",
      "-c",
      script,
      issuer,
      out,
    ]);
    const pending = async () => (await bob.json<AccessRequest[]>(["requests", "list", "--reviewable"]))[0];
    await expect.poll(pending, { timeout: 10_000 }).toBeDefined();
    await bob.run(["approve", (await pending())!.id]);
    expect(await running).toMatchObject({ code: 7, err: expect.stringContaining("Given back") });
    expect(await readFile(out, "utf8")).toBe("200");
    expect(await alice.json<Grant[]>(["grants", "list", "--state", "active"])).toEqual([]);
    const reasonless = ["run", "--resource", "orders", "--scope", "orders:read", "--", "true"];
    expect(await alice.run(reasonless)).toMatchObject({ code: 2, err: expect.stringContaining("--reason") });
    expect(
      await alice.run(["run", "--resource", "orders", "--scope", "orders:read", "--reason", "x"]),
    ).toMatchObject({ code: 2 });
  });
});

describe("taking back", () => {
  it("says first what it would cut, then by when it is cut, and lifts", async () => {
    const person = await stand.gate.newPerson(["developer"], ["requests:read"]);
    const subject = decodeJwt(person.token).sub!;
    const by = ["revoke", "--subject", subject, "--issued-before", "now", "--reason", "left"];
    expect((await operator.run([...by, "--dry-run"])).out).toMatch(/It would cut \d+ live tokens/);
    expect(await alice.run(by)).toMatchObject({ code: 1 });
    expect(await operator.run(["revoke", "--reason", "nothing named"])).toMatchObject({ code: 2 });
    const receipt = await operator.json<{ id: string }>(["revoke", "--subject", subject, "--reason", "left"]);
    await expect
      .poll(async () => (await stand.gate.call("/v1/access-requests", { token: person.token })).status, {
        timeout: 10_000,
      })
      .toBe(401);
    expect((await operator.run(["revocations", "list"])).out).toContain(receipt.id);
    const found = async (...search: string[]) =>
      (await operator.run(["revocations", "list", "--search", ...search])).out;
    expect(await found(receipt.id.toUpperCase(), "--state", "in_force")).toContain(receipt.id);
    expect(await found(receipt.id, "--state", "lifted")).not.toContain(receipt.id);
    expect((await operator.run(["revocations", "show", receipt.id])).out).toContain("left");
    expect(await operator.run(["revocations", "lift", receipt.id, "--reason", "back"])).toMatchObject({
      code: 0,
    });
  });

  it("imports and exports denied tokens, and names bad lines", async () => {
    const lines = `{"jti":"stolen-1"}\nnot json\n{"jti":"stolen-2","reason":"in a log"}\n`;
    const path = await file("stolen.ndjson", lines);
    expect(await operator.run(["denylist", "import", path, "--dry-run"])).toMatchObject({
      code: 1,
      out: expect.stringContaining("2 tokens"),
    });
    expect(await operator.run(["denylist", "import", path])).toMatchObject({
      code: 1,
      out: expect.stringContaining("2 taken"),
      err: expect.stringContaining("line 2"),
    });
    expect(await operator.run(["denylist", "import", "-"], { stdin: `{"jti":"stolen-3"}\n` })).toMatchObject({
      code: 0,
    });
    expect((await operator.run(["denylist", "export"])).out).toContain("stolen-2");
    expect(await operator.run(["denylist", "import", "/nowhere"])).toMatchObject({ code: 2 });
  });

  it("rotates keys, and asks once more before it replaces one that leaked", async () => {
    const keys = await operator.json<{ kid: string; state: string; purpose: string }[]>(["keys", "list"]);
    const current = keys.find(({ state, purpose }) => state === "current" && purpose === "access_token")!;
    expect(await operator.run(["keys", "rotate", "--compromised", current.kid])).toMatchObject({
      code: 2,
      err: expect.stringContaining("--yes"),
    });
    expect(await operator.run(["keys", "rotate"])).toMatchObject({ code: 0 });
    expect(await alice.run(["keys", "list"])).toMatchObject({ code: 1 });
  });
});

describe("the policy", () => {
  it("is shown, checked with the place of each fault, applied, and rolled back", async () => {
    const shown = await operator.run(["policy", "show"]);
    const path = await file("policy.yaml", shown.out);
    expect((await operator.run(["policy", "check", path])).out).toContain("nothing changes");
    const wrong = await file("wrong.yaml", shown.out.replace(/path: \/orders/, "path: orders"));
    const line =
      (await readFile(wrong, "utf8")).split("\n").findIndex((each) => each.includes("path: orders")) + 1;
    expect(await operator.run(["policy", "check", wrong])).toMatchObject({
      code: 1,
      err: expect.stringContaining(`wrong.yaml:${line}:`),
    });
    const broken = await file("broken.yaml", "routes: [\n  a: {");
    expect(await operator.run(["policy", "check", broken])).toMatchObject({
      code: 2,
      err: expect.stringContaining("broken.yaml:2:"),
    });
    const more = await file(
      "more.yaml",
      shown.out.replace(
        /^routes:$/m,
        "routes:\n  - { id: extra, path: /extra, origin: demo, access: public }",
      ),
    );
    const difference = (await operator.run(["policy", "diff", more])).out;
    expect(difference).toContain("+ routes extra");
    expect(difference).toMatch(/^@@ -\d+,\d+ \+\d+,\d+ @@$[\s\S]*^\+ {2}- id: extra$/m);
    expect((await operator.run(["policy", "check", more])).out).not.toContain("@@");
    const { version } = bodyOf<{ version: number }>(await stand.gate.asOperator("/v1/policy"), 200);
    expect(await operator.run(["policy", "apply", more, "--if-version", String(version + 7)])).toMatchObject({
      code: 1,
    });
    expect(await operator.run(["policy", "apply", more])).toMatchObject({ code: 0 });
    expect((await operator.run(["policy", "history"])).out).toContain(`${version + 1} *`);
    expect(await operator.run(["policy", "rollback", String(version)])).toMatchObject({ code: 0 });
    expect(await operator.run(["policy", "rollback", "x"])).toMatchObject({ code: 2 });
    expect((await operator.run(["policy", "check", path])).out).toContain("nothing changes");
  });

  it("explains a decision without a token in the arguments", async () => {
    const env = operator.with({ TOKEN: stand.requester.token });
    const told = await env.run(["explain", "GET", `${issuer}/orders`, "--token-from-env", "TOKEN"]);
    expect(told).toMatchObject({ code: 0, out: expect.stringContaining("✗ audience") });
    expect(told.out).not.toContain(stand.requester.token);
    expect(
      await operator.run(["explain", "GET", `${issuer}/orders`, "--token-from-env", "NONE"]),
    ).toMatchObject({ code: 2 });
  });
});

describe("the audit log", () => {
  it("is listed, followed, exported and verified without the deployment", async () => {
    expect((await operator.run(["audit", "list", "--type", "policy.*"])).out).toMatch(
      /policy\.(put|activated)/,
    );
    const aborted = new AbortController();
    let seen = "";
    const watching = operator.run(["watch", "--lines", "1"], {
      signal: aborted.signal,
      onOutput: (text) => {
        seen = text;
      },
    });
    const asked = await ask(alice);
    await expect
      .poll(async () => (await operator.run(["audit", "list"])).out, { timeout: 15_000 })
      .toContain("access_request.created");
    await alice.run(["cancel", asked.id]);
    await expect.poll(() => seen, { timeout: 15_000 }).toMatch(/access_request\.(created|cancelled)/);
    aborted.abort();
    expect(await watching).toMatchObject({ code: 0, out: seen });
    const path = join(folder, "audit.ndjson");
    const key = (await operator.run(["audit", "key"])).out.trim();
    expect(await operator.run(["audit", "export", path])).toMatchObject({ code: 0 });
    expect(await nobody.run(["audit", "verify", path, "--key", key])).toMatchObject({
      code: 0,
      out: expect.stringContaining("Whole and unchanged"),
    });
    const lines = (await readFile(path, "utf8")).split("\n");
    const cut = await file("cut.ndjson", lines.filter((_line, i) => i !== 3).join("\n"));
    expect(await nobody.run(["audit", "verify", cut, "--key", key])).toMatchObject({
      code: 1,
      err: expect.stringContaining("Not intact"),
    });
    expect(await nobody.run(["audit", "verify", join(folder, "none")])).toMatchObject({ code: 2 });
    expect(await alice.run(["audit", "list"])).toMatchObject({ code: 1 });
  });
});

describe("webhooks, sessions and the doctor", () => {
  it("shows a secret once, and what became of what was sent", async () => {
    const added = await operator.json<{ id: string; secret: string }>([
      "webhooks",
      "add",
      "http://127.0.0.1:9/hook",
      "--events",
      "grant.*",
    ]);
    expect(added.secret).toMatch(/^whsec_/);
    expect((await operator.run(["webhooks", "show", added.id])).out).not.toContain("whsec_");
    expect(await operator.run(["webhooks", "test", added.id])).toMatchObject({ code: 0 });
    await expect
      .poll(async () => (await operator.run(["webhooks", "deliveries", added.id, "--json"])).out, {
        timeout: 15_000,
      })
      .toContain("connection");
    expect((await operator.run(["webhooks", "disable", added.id])).out).toContain("off");
    expect(await operator.run(["doctor"])).toMatchObject({
      code: 1,
      out: expect.stringContaining(`portcullis webhooks enable ${added.id}`),
    });
    expect(await operator.run(["webhooks", "remove", added.id])).toMatchObject({ code: 0 });
  });

  it("sends again what a receiver missed, counted first", async () => {
    const receiver = await Receiver.start();
    onTestFinished(() => receiver.close());
    receiver.answerWith(() => ({ status: 410 }));
    const { id, secret } = await operator.json<{ id: string; secret: string }>([
      ...["webhooks", "add", receiver.url, "--events", "grant.*"],
    ]);
    receiver.trust(secret);
    expect(await operator.run(["webhooks", "test", id])).toMatchObject({ code: 0 });
    const deliveries = async (state: string) =>
      (await operator.json<unknown[]>(["webhooks", "deliveries", id, "--state", state])).length;
    await expect.poll(() => deliveries("dead_letter"), { timeout: 15_000 }).toBe(1);
    expect(await operator.run(["webhooks", "enable", id])).toMatchObject({ code: 0 });
    receiver.answerWith(() => ({ status: 204 }));
    const again = ["webhooks", "redeliver", id];
    expect(await operator.run(again)).toMatchObject({ code: 2, err: expect.stringContaining("--since") });
    expect(await operator.run([...again, "--dry-run"])).toMatchObject({ code: 2 });
    expect((await operator.run([...again, "--since", "-1h", "--dry-run"])).out).toContain("1 would be sent");
    expect(await deliveries("delivered")).toBe(0);
    expect(await operator.json([...again, "--since", "+1h"])).toEqual({ redelivered: 0, remaining: 0 });
    expect(await operator.json([...again, "--since", "-1h"])).toEqual({ redelivered: 1, remaining: 0 });
    await expect.poll(() => deliveries("delivered"), { timeout: 15_000 }).toBe(1);
    expect(await operator.run(["webhooks", "deliveries", id, "--state", "lost"])).toMatchObject({ code: 2 });
    expect(await operator.run(["webhooks", "remove", id])).toMatchObject({ code: 0 });
  });

  it("adds and changes an endpoint from a file, so that what Slack gives is in no argument", async () => {
    const slack = {
      signing_secret: "8f742231b10e8888abcd99yyyzzz85a5",
      approvers: { U024BE7LH: { subject: "demo|bob", roles: ["approver"] } },
    };
    const from = await file(
      "slack.json",
      JSON.stringify({ url: "https://hooks.slack.com/services/T0/B0/X", slack }),
    );
    expect(await operator.run(["webhooks", "add", "--from", from])).toMatchObject({
      code: 2,
      err: expect.stringContaining("Which events?"),
    });
    expect(await operator.run(["webhooks", "add", "--events", "*"])).toMatchObject({
      code: 2,
      err: expect.stringContaining("Where to?"),
    });
    const added = await operator.json<{ id: string }>([
      "webhooks",
      "add",
      "--from",
      from,
      "--events",
      "grant.*",
    ]);
    expect((await operator.run(["webhooks", "show", added.id])).out).toMatch(
      /slack +by an incoming webhook; U024BE7LH reviews as demo\|bob/,
    );
    expect(await operator.run(["webhooks", "update", added.id])).toMatchObject({ code: 2 });
    const changed = await operator.run(["webhooks", "update", added.id, "--from", "-", "--json"], {
      stdin: "events: [grant.revoked]\ndescription: for the night\n",
    });
    expect(JSON.parse(changed.out)).toMatchObject({
      events: ["grant.revoked"],
      description: "for the night",
    });
    const unknown = await file(
      "unknown.yaml",
      "url: https://ops.example.com/hook\nevents: ['*']\nslak: {}\n",
    );
    expect(await operator.run(["webhooks", "add", "--from", unknown])).toMatchObject({
      code: 1,
      err: expect.stringContaining("slak"),
    });
    expect(await operator.run(["webhooks", "add", "--from", "/nowhere.yaml"])).toMatchObject({ code: 2 });
    expect(await operator.run(["webhooks", "remove", added.id])).toMatchObject({ code: 0 });
    expect(await operator.run(["doctor"])).toMatchObject({
      code: 0,
      out: expect.stringContaining("✓ policy"),
    });
    expect(await nobody.run(["doctor", "--issuer", issuer])).toMatchObject({
      code: 1,
      out: expect.stringContaining("✗ sign-in"),
    });
    expect(await nobody.run(["doctor", "--issuer", "http://127.0.0.1:9"])).toMatchObject({ code: 4 });
  });

  it("lists sessions, and ends one", async () => {
    const user = await CliUser.at({});
    await user.login(issuer, new Browser("alice"));
    const keyring = JSON.parse(
      await readFile(join(user.home, ".config", "portcullis", "keyring.json"), "utf8"),
    );
    const sid = String(decodeJwt(keyring.sessions[issuer].access_token).sid);
    await expect
      .poll(async () => (await user.run(["sessions", "list"])).out, { timeout: 15_000 })
      .toContain(sid);
    expect(await user.run(["sessions", "end", sid, "--reason", "lost"])).toMatchObject({ code: 0 });
    await expect.poll(async () => (await user.run(["requests", "list"])).code, { timeout: 15_000 }).toBe(3);
    await user.stop();
  });
});

describe("every command", () => {
  const COMMANDS: readonly (readonly string[])[] = [
    ...[
      ["whoami"],
      ["sessions", "list"],
      ["requests", "list"],
      ["grants", "list"],
      ["revocations", "list"],
      ["keys", "list"],
    ],
    ...[
      ["policy", "show"],
      ["policy", "history"],
      ["webhooks", "list"],
      ["denylist", "export"],
      ["grants", "show", "grt_1"],
    ],
    ...[
      ["requests", "show", "req_1"],
      ["cancel", "req_1"],
      ["approve", "req_1"],
      ["deny", "req_1"],
      ["token", "r", "--scope", "s"],
    ],
    ...[
      ["revoke", "--subject", "x", "--reason", "y"],
      ["request", "r", "--scope", "s", "--reason", "w"],
      ["policy", "rollback", "1"],
    ],
    ...[
      ["grants", "revoke", "grt_1", "--reason", "y"],
      ["grants", "extend", "grt_1", "--for", "1m", "--reason", "y"],
    ],
    ...[
      ["revocations", "show", "rev_1"],
      ["revocations", "lift", "rev_1"],
      ["revocations", "confirm", "rev_1"],
    ],
    ...[
      ["webhooks", "show", "whe_1"],
      ["webhooks", "test", "whe_1"],
      ["webhooks", "deliveries", "whe_1"],
      ["webhooks", "redeliver", "dlv_1"],
    ],
    ...[
      ["explain", "GET", "https://x.example"],
      ["sessions", "end", "ses_1", "--reason", "y"],
      ["keys", "rotate"],
    ],
  ];

  // At once: most of the time goes into the pauses before a call is tried again.
  it.concurrent.each(COMMANDS.map((args) => [args.join(" "), args] as const))(
    "%s: refuses unknown flags, says who is not there, and is refused without a sign-in",
    async (_name, args) => {
      expect(await nobody.run([...args, "--jsom", "--issuer", issuer])).toMatchObject({
        code: 2,
        err: expect.stringContaining("Did you mean --json?"),
      });
      expect(await nobody.run([...args, "--issuer", issuer])).toMatchObject({
        code: 3,
        err: expect.stringContaining("portcullis login"),
      });
      const away = nobody.with({ PORTCULLIS_TOKEN: "a.b.c" });
      expect(await away.run([...args, "--issuer", "http://127.0.0.1:9"])).toMatchObject({ code: 4 });
      expect(await away.run([...args, "--issuer", issuer])).toMatchObject({ code: 3 });
      const flag = args.findIndex((arg) => arg.startsWith("--"));
      const help = await nobody.run([...args.slice(0, flag < 0 ? 2 : flag), "--help"]);
      expect(help).toMatchObject({ code: 0, out: expect.stringContaining("Usage: portcullis") });
    },
  );
});
