import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync, gzipSync } from "node:zlib";
import { decodeJwt, decodeProtectedHeader } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { call } from "../../src/local/http-call.ts";
import { TOKEN_EXCHANGE } from "../../src/local/set-up.ts";
import { ask, collect, type HeldGrant, hold, read, review, revokeGrant } from "../support/access.ts";
import { auditVerdict, exportedLines } from "../support/audit.ts";
import { CliUser } from "../support/cli-user.ts";
import {
  bodyOf,
  type Client,
  clientToken,
  Deployment,
  type Endpoint,
  type Person,
} from "../support/deployment.ts";
import { peopleIssuer } from "../support/people-issuer.ts";
import { Receiver } from "../support/receiver.ts";
import { RecordingOrigin } from "../support/recording-origin.ts";
import { freeIssuer, OPERATOR_SECRET, type Runtime, SECRET, startRuntime } from "../support/runtime.ts";
import { APPROVER_SCOPES, REQUESTER_SCOPES, testPolicy } from "../support/test-policy.ts";

const RESTORE_SECRET = "cmVzdG9yZS1zZWNyZXQtb25seS1mb3ItdGhlLXRlc3Q";
/** So many that the backup has several pages. */
const IMPORTED = 60_000;
const BRIEF_SECONDS = 40;

let folder: string;
let file: string;
let issuer: string;
let origin: RecordingOrigin;
let receiver: Receiver;
let people: Awaited<ReturnType<typeof peopleIssuer>>;
let operator: CliUser;
let before: World;

/** What there was when the backup was taken. */
type World = {
  gate: Deployment;
  people: { requester: Person; approver: Person };
  endpoint: Endpoint;
  live: HeldGrant;
  revoked: HeldGrant;
  denied: HeldGrant;
  returned: HeldGrant;
  /** It ends by time, and not before the backup was taken. */
  brief: HeldGrant;
  pending: string;
  exchange: Client;
  session: string;
  endedSession: string;
  /** Refreshed once more after the backup was taken. */
  laterSession: string;
  mallory: string;
  jwks: unknown;
  records: number;
};

const started: Runtime[] = [];

async function start(
  stateDir: string,
  variables: Record<string, string> = {},
  at = issuer,
): Promise<Runtime> {
  const runtime = await startRuntime({ stateDir: join(folder, stateDir), issuer: at, variables });
  started.push(runtime);
  return runtime;
}

async function stop(runtime: Runtime): Promise<void> {
  await runtime.stop();
  started.splice(started.indexOf(runtime), 1);
}

const orders = (token: string) => call(`${issuer}/orders/7`, { token });
const refresh = (refresh_token: string) =>
  before.gate.call("/oauth/token", {
    client: before.exchange,
    form: { grant_type: "refresh_token", refresh_token },
  });
const restoring = (user: CliUser, secret = RESTORE_SECRET) =>
  user.with({ PORTCULLIS_RESTORE_SECRET: secret, PORTCULLIS_ISSUER: issuer });
const loadedPages = async () => {
  const answer = await call(`${issuer}/v1/restore`, { token: RESTORE_SECRET }).catch(() => undefined);
  return answer?.status === 200 ? (answer.body as { loaded: number }).loaded : 0;
};

async function populate(runtime: Runtime): Promise<World> {
  await runtime.cron();
  const gate = await Deployment.at(issuer);
  const policy = testPolicy({ origin: origin.url, identityProvider: "http://127.0.0.1:9" });
  await gate.putPolicy({
    ...policy,
    issuers: [...policy.issuers, people.trusted],
    sessions: {},
    audit: { checkpoint_seconds: 1 },
  });
  const [requester, approver] = await Promise.all([
    gate.newPerson(["developer"], REQUESTER_SCOPES),
    gate.newPerson(["approver"], APPROVER_SCOPES),
  ]);
  const persons = { requester, approver };
  const endpoint = await gate.newEndpoint({ url: receiver.url, events: ["grant.*"] });
  receiver.trust(endpoint.secret);
  const held: HeldGrant[] = [];
  for (let i = 0; i < 4; i++) held.push(await hold(gate, persons));
  const [live, revoked, denied, returned] = held as [HeldGrant, HeldGrant, HeldGrant, HeldGrant];
  const brief = await hold(gate, persons, { duration_seconds: BRIEF_SECONDS });
  await revokeGrant(gate, revoked.grant);
  await revokeGrant(gate, returned.grant, requester.token);
  const pending = (await ask(gate, requester.token)).id;
  const { jti } = decodeJwt(denied.token);
  const lines = [{ jti }, ...Array.from({ length: IMPORTED }, (_, i) => ({ jti: `tok_elsewhere_${i}` }))];
  const ndjson = lines.map((line) => JSON.stringify({ ...line, reason: "leaked" })).join("\n");
  const imported = await gate.postText("/v1/revocations/import", ndjson, {
    authorization: `Bearer ${gate.operator}`,
  });
  expect(imported).toMatchObject({ status: 200, body: { accepted: IMPORTED + 1 } });
  const mallory = (await gate.revoke({ sub: "people|mallory" })).id;
  const { id: lifted } = await gate.revoke({ sub: "people|bob" });
  bodyOf(await gate.asOperator(`/v1/revocations/${lifted}?reason=found`, { method: "DELETE" }), 200);
  const exchange = await gate.newClient({
    grant_types: [TOKEN_EXCHANGE, "refresh_token"],
    scopes: ["requests:read"],
  });
  const opened = async (name: string) =>
    bodyOf<{ refresh_token: string; access_token: string }>(
      await gate.exchange(exchange, await people.token(name)),
      200,
    );
  const session = (await opened("ann")).refresh_token;
  const laterSession = (await opened("dora")).refresh_token;
  const ended = await opened("carl");
  bodyOf(
    await gate.asOperator(`/v1/sessions/${decodeJwt(ended.access_token).sid}/revoke`, {
      json: { reason: "a test" },
    }),
    200,
  );
  const jwks = bodyOf(await gate.call("/.well-known/jwks.json"), 200);
  const records = (await exportedLines(gate)).length;
  const grants = { live, revoked, denied, returned, brief };
  const rest = {
    pending,
    exchange,
    session,
    endedSession: ended.refresh_token,
    laterSession,
    mallory,
    jwks,
    records,
  };
  return { gate, people: persons, endpoint, ...grants, ...rest };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "portcullis-backup-"));
  file = join(folder, "backup.ndjson.gz");
  issuer = await freeIssuer();
  [origin, receiver, people] = await Promise.all([RecordingOrigin.start(), Receiver.start(), peopleIssuer()]);
  operator = await CliUser.at({
    PORTCULLIS_ISSUER: issuer,
    PORTCULLIS_CLIENT_ID: "operator",
    PORTCULLIS_CLIENT_SECRET: OPERATOR_SECRET,
  });
  const runtime = await start("first");
  before = await populate(runtime);
  // The bound of the routes is over.
  await sleep(2_500);
  for (const { token } of [before.revoked, before.denied]) {
    expect((await orders(token)).status).toBe(401);
  }
  expect(await operator.run(["backup", "create", file])).toMatchObject({ code: 0 });
  await stop(runtime);
}, 180_000);

afterAll(async () => {
  for (const runtime of started) await runtime.stop();
  await operator?.stop();
  await receiver?.close();
  await origin?.close();
  await rm(folder, { recursive: true, force: true });
});

describe("a backup's file", () => {
  const at = (change: (lines: string[]) => string[]) => async (name: string) => {
    const lines = gunzipSync(await readFile(file))
      .toString()
      .trimEnd()
      .split("\n");
    const path = join(folder, name);
    await writeFile(path, gzipSync(`${change(lines).join("\n")}\n`));
    return path;
  };

  it("is for its owner alone, is verified without a deployment, and holds no secret", async () => {
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const offline = await CliUser.at({});
    expect(await offline.run(["backup", "verify", file])).toMatchObject({
      code: 0,
      out: expect.stringMatching(
        /^Whole and unchanged\.\n[\s\S]*\d+ objects with \d+ rows on \d+ pages[\s\S]*whole: \d+ signed records/,
      ),
    });
    const signed = offline.with({ PORTCULLIS_SECRET: SECRET });
    expect(await signed.json(["backup", "verify", file])).toMatchObject({
      issuer,
      signed: true,
      audit: { intact: true },
      kinds: expect.arrayContaining([
        { object: "SessionObject", objects: 3, rows: expect.any(Number) },
        { object: "AccessRequestObject", objects: 6, rows: expect.any(Number) },
        { object: "DenylistObject", objects: 1, rows: expect.any(Number) },
      ]),
    });
    const text = gunzipSync(await readFile(file)).toString();
    expect(text.split("\n").filter((line) => line.startsWith('{"page"')).length).toBeGreaterThan(2);
    const secrets = [SECRET, OPERATOR_SECRET, before.exchange.secret, before.endpoint.secret, before.session];
    for (const secret of [...secrets, before.live.token]) expect(text).not.toContain(secret);
    expect(text).not.toMatch(/"d":"|PRIVATE/);
    await offline.stop();
  });

  it.each([
    ["a row that was changed", at((lines) => lines.map((l) => l.replace('"leaked",', '"lost",')))],
    ["a line that is gone", at((lines) => lines.toSpliced(200, 1))],
    ["lines that changed places", at((lines) => lines.toSpliced(200, 2, lines[201]!, lines[200]!))],
    ["an end that was cut off", at((lines) => lines.slice(0, -1))],
    ["an end of half a page", at((lines) => lines.slice(0, 1_000))],
    [
      "a page that is gone",
      at((lines) => {
        const ends = lines.flatMap((line, i) => (line.startsWith('{"page"') ? [i] : []));
        return lines.toSpliced(ends[0]! + 1, ends[1]! - ends[0]!);
      }),
    ],
    ["another version", at(([first, ...rest]) => [first!.replace('backup":1', 'backup":2'), ...rest])],
    ["something else", at(() => ['{"jti":"tok_1"}'])],
    ["nothing", at(() => [""])],
  ])("with %s is refused, and named", async (what, make) => {
    const path = await make(`${what.replaceAll(" ", "-")}.ndjson.gz`);
    expect(await operator.run(["backup", "verify", path])).toMatchObject({
      code: 1,
      err: expect.stringMatching(/is not a whole backup: line \d+: /),
    });
  });

  it("needs a scope of its own to be taken", async () => {
    const runtime = await start("first");
    const { gate, people: persons } = before;
    expect((await gate.call("/v1/backup", { token: persons.approver.token, json: {} })).body).toMatchObject({
      code: "insufficient_scope",
      scope: "backup:read",
    });
    expect((await gate.asOperator("/v1/backup", { json: { cursor: "v1.x.y" } })).status).toBe(400);
    const user = operator.with({
      PORTCULLIS_CLIENT_ID: persons.approver.id,
      PORTCULLIS_CLIENT_SECRET: persons.approver.secret,
    });
    const path = join(folder, "refused.ndjson");
    expect(await user.run(["backup", "create", path])).toMatchObject({ code: 1 });
    for (const each of [path, `${path}.part`]) await expect(stat(each)).rejects.toThrow();
    await expect
      .poll(async () => bodyOf(await gate.asOperator("/v1/audit/events?type=backup.*"), 200))
      .toMatchObject({ items: [{ type: "backup.taken", actor: { subject: "operator" } }] });
    const later = bodyOf<{ refresh_token: string }>(await refresh(before.laterSession), 200);
    before.laterSession = later.refresh_token;
    await stop(runtime);
  });
});

describe("a restoration", () => {
  it("refuses a deployment that has something, and one that is not there to be restored", async () => {
    const runtime = await start("first", { PORTCULLIS_RESTORE_SECRET: RESTORE_SECRET });
    expect(await restoring(operator).run(["backup", "restore", file])).toMatchObject({
      code: 1,
      err: expect.stringContaining("this one has a policy"),
    });
    await stop(runtime);
    const open = await start("first");
    expect(await restoring(operator).run(["backup", "restore", file])).toMatchObject({ code: 3 });
    expect((await orders(before.live.token)).status).toBe(200);
    await stop(open);
    expect(await operator.run(["backup", "restore", file])).toMatchObject({
      code: 2,
      err: expect.stringContaining("PORTCULLIS_RESTORE_SECRET is not set"),
    });
  });

  it("refuses what another secret has signed, and a backup of another deployment", async () => {
    const other = await start("other", {
      PORTCULLIS_SECRET: "b3RoZXItc2VjcmV0LW9ubHktZm9yLXRoZS10ZXN0cy0w",
      PORTCULLIS_RESTORE_SECRET: RESTORE_SECRET,
    });
    expect(await restoring(operator).run(["backup", "restore", file])).toMatchObject({
      code: 1,
      err: expect.stringContaining("another PORTCULLIS_SECRET"),
    });
    await stop(other);
    const elsewhere = await freeIssuer();
    const runtime = await start("elsewhere", { PORTCULLIS_RESTORE_SECRET: RESTORE_SECRET }, elsewhere);
    expect(
      await restoring(operator).with({ PORTCULLIS_ISSUER: elsewhere }).run(["backup", "restore", file]),
    ).toMatchObject({ code: 1, err: expect.stringContaining(`The backup is of ${issuer}`) });
    await stop(runtime);
  });

  it("answers nobody meanwhile, goes on after an abort and after kill -9, and gives everything back", {
    timeout: 240_000,
  }, async () => {
    // What is to be restored into may have been up, and have made keys and records of its own.
    const fresh = await start("second");
    await fresh.cron();
    const empty = await Deployment.at(issuer);
    bodyOf(await empty.asOperator("/v1/audit/proof?seq=0"), 200);
    await stop(fresh);
    let runtime = await start("second", { PORTCULLIS_RESTORE_SECRET: RESTORE_SECRET });
    for (const path of ["/orders/7", "/v1/policy", "/oauth/token", "/.well-known/jwks.json", "/console"]) {
      expect((await call(`${issuer}${path}`, { token: before.live.token })).status, path).toBe(503);
    }
    expect((await call(`${issuer}/v1/restore`, { token: "wrong" })).status).toBe(401);
    expect(await restoring(operator, "x".repeat(43)).run(["backup", "restore", file])).toMatchObject({
      code: 3,
    });
    await runtime.cron();

    const interrupted = new AbortController();
    const first = restoring(operator).run(["backup", "restore", file], { signal: interrupted.signal });
    await expect.poll(loadedPages, { interval: 2, timeout: 30_000 }).toBeGreaterThan(0);
    interrupted.abort();
    expect(await first).toMatchObject({ code: 130 });

    // Half of it is there: nothing of it counts, also where somebody opens the deployment too early.
    await stop(runtime);
    runtime = await start("second");
    expect((await orders(before.live.token)).status).not.toBe(200);
    expect((await call(`${issuer}/readyz`)).status).toBe(503);
    await stop(runtime);
    runtime = await start("second", { PORTCULLIS_RESTORE_SECRET: RESTORE_SECRET });

    const had = await loadedPages();
    const second = restoring(operator).run(["backup", "restore", file]);
    await expect.poll(loadedPages, { interval: 2, timeout: 30_000 }).toBeGreaterThan(had);
    await runtime.kill();
    await second;
    // Where the kill hit the command harder than it tries again, it is run again.
    expect(await restoring(operator).run(["backup", "restore", file])).toMatchObject({
      code: 0,
      out: expect.stringContaining("Restored as of"),
    });
    expect((await orders(before.live.token)).status).toBe(503);
    await stop(runtime);
  });
});

describe("what was restored", () => {
  let runtime: Runtime;

  beforeAll(async () => {
    runtime = await start("second");
    await runtime.cron();
  });

  it("lets through what was let through, and refuses what was refused", async () => {
    expect((await orders(before.live.token)).status).toBe(200);
    for (const { token } of [before.revoked, before.denied, before.returned]) {
      expect((await orders(token)).status).toBe(401);
    }
    const { kid } = decodeProtectedHeader(before.live.token);
    expect(bodyOf(await before.gate.call("/.well-known/jwks.json"), 200)).toEqual(before.jwks);
    expect((before.jwks as { keys: { kid: string }[] }).keys.map((key) => key.kid)).toContain(kid);
  });

  it("goes on: clients, sessions, requests and grants, and what they were about to do", async () => {
    const { people: persons, gate } = before;
    const token = await clientToken(issuer, persons.requester);
    expect((await refresh(before.session)).status).toBe(200);
    expect((await refresh(before.endedSession)).status).toBe(400);
    expect((await refresh(before.laterSession)).status).toBe(400);
    expect((await read(gate, before.pending, token)).state).toBe("pending");
    const approver = await clientToken(issuer, persons.approver);
    bodyOf(await review(gate, approver, before.pending), 201);
    expect((await orders(await collect(gate, token, before.pending))).status).toBe(200);
    const operatorToken = await clientToken(issuer, { id: "operator", secret: OPERATOR_SECRET });
    await revokeGrant(gate, before.live.grant, operatorToken);
    await expect.poll(async () => (await orders(before.live.token)).status, { timeout: 10_000 }).toBe(401);
    await expect
      .poll(
        () =>
          receiver.received.some(
            ({ type, data }) => type === "grant.revoked" && JSON.stringify(data).includes(before.live.grant),
          ),
        {
          timeout: 20_000,
        },
      )
      .toBe(true);
    const lifted = await gate.call(`/v1/revocations/${before.mallory}`, { token: operatorToken });
    expect(lifted.body).toMatchObject({ state: "in_force" });
  });

  it("ends by time what was to end, and tells of it", { timeout: 180_000 }, async () => {
    const startedAtMs = Date.now();
    await expect
      .poll(async () => (await orders(before.brief.token)).status, { interval: 500, timeout: 60_000 })
      .toBe(401);
    const told = async () => {
      await runtime.cron();
      return receiver.received.some(
        ({ type, data, receivedAtMs }) =>
          type === "grant.expired" &&
          receivedAtMs > startedAtMs &&
          JSON.stringify(data).includes(before.brief.grant),
      );
    };
    await expect.poll(told, { interval: 3_000, timeout: 120_000 }).toBe(true);
  });

  it("has the audit log whole, with what was done since, and says that it was restored", async () => {
    const gate = await Deployment.at(issuer);
    expect(await auditVerdict(gate)).toMatchObject({ intact: true });
    expect((await exportedLines(gate)).length).toBeGreaterThan(before.records);
    const restored = bodyOf(await gate.asOperator("/v1/audit/events?type=backup.restored"), 200);
    expect(restored).toMatchObject({ items: [{ actor: { subject: "portcullis" } }] });
  });

  it("has told KV what is denied", async () => {
    await expect
      .poll(() => runtime.kv("deny:sub:people|mallory"), { timeout: 30_000 })
      .toMatchObject([{ id: before.mallory }]);
  });

  it("can be backed up again", async () => {
    const again = join(folder, "again.ndjson");
    expect(await operator.run(["backup", "create", again])).toMatchObject({ code: 0 });
    expect(await operator.run(["backup", "verify", again])).toMatchObject({ code: 0 });
  });
});
