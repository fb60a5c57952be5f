import { runInDurableObject } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { beforeAll, expect, it, vi } from "vitest";

const TOKENS = 1_000_000;
const OPERATOR_SECRET = "b3BlcmF0b3Itc2VjcmV0LW9ubHktZm9yLXRlc3RzLTAx";

type Body = Record<string, unknown>;

async function call(path: string, init: RequestInit): Promise<{ status: number; body: Body }> {
  const answer = await exports.default.fetch(new Request(`${env.ISSUER}${path}`, init));
  return { status: answer.status, body: await answer.json<Body>() };
}

async function tokenOf(id: string, secret: string): Promise<string> {
  const { body } = await call("/oauth/token", {
    method: "POST",
    headers: { authorization: `Basic ${btoa(`${id}:${secret}`)}` },
    body: new URLSearchParams({ grant_type: "client_credentials" }),
  });
  return String(body.access_token);
}

const post = (path: string, token: string, body: object) =>
  call(path, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });

/** How many rows each table of the log has. */
async function logRows(): Promise<Record<string, number>> {
  return runInDurableObject(env.LOG.getByName("main"), (_object, { storage }) => {
    const count = (table: string) =>
      storage.sql.exec<{ n: number }>(`SELECT COUNT(*) AS n FROM ${table}`).one().n;
    return { entries: count("entries"), revocations: count("revocations"), proposals: count("proposals") };
  });
}

const denied = async () => (await env.KV.list({ prefix: "deny:" })).keys.map(({ name }) => name);
const live = () =>
  runInDurableObject(env.DIRECTORY.getByName("main"), (_object, { storage }) =>
    storage.sql
      .exec<{ n: number }>("SELECT COUNT(*) AS n FROM live_tokens WHERE client_id = 'cli_mass'")
      .one(),
  );

beforeAll(async () => {
  await runInDurableObject(env.DIRECTORY.getByName("main"), (_object, { storage }) => {
    storage.sql.exec(
      `WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
       INSERT INTO live_tokens
       SELECT 'tok_' || i, 'demo|user' || (i % 40000), 'cli_mass', CASE WHEN i % 4 = 0 THEN 'grt_' || (i % 100000) END,
         NULL, NULL, 'k1', 'urn:origin', ?, ? FROM n`,
      TOKENS - 1,
      Math.floor(Date.now() / 1000) - 5,
      Math.floor(Date.now() / 1000) + 3_600,
    );
    // One that is over and one of another client: neither is to be counted.
    storage.sql.exec(
      "INSERT INTO live_tokens VALUES ('over', 'demo|x', 'cli_mass', NULL, NULL, NULL, 'k1', 'a', 1, 2)",
    );
    storage.sql.exec(
      "INSERT INTO live_tokens VALUES ('other', 'demo|x', 'cli_other', NULL, NULL, NULL, 'k1', 'a', 1, 9e9)",
    );
    storage.sql.exec("UPDATE live_token_state SET held = ?", TOKENS + 2);
  });
}, 120_000);

it("revokes a million live tokens with one call and one log row, and its dry run counts them exactly", async () => {
  const operator = await tokenOf("operator", OPERATOR_SECRET);
  const scopes = ["revocations:read", "revocations:write"];
  const second = (await post("/v1/clients", operator, { name: "second", roles: [], scopes })).body;
  const bob = await tokenOf(String(second.client_id), String(second.client_secret));
  const rule = { match: { client_id: "cli_mass" }, reason: "the client was broken into" };
  const before = { rows: await logRows(), denied: await denied() };
  const would_cut = { tokens: TOKENS, grants: 25_000, subjects: 40_000, clients: 1 };

  const dry = await post("/v1/revocations?dry_run=true", operator, rule);
  expect(dry).toMatchObject({ status: 200, body: { dry_run: true, would_cut, exact: true } });
  expect(dry.body.sample).toHaveLength(100);
  expect(await logRows()).toEqual(before.rows);

  const asked = await post("/v1/revocations", operator, rule);
  expect(asked).toMatchObject({ status: 202, body: { state: "awaiting_confirmation", would_cut } });
  expect(await logRows()).toEqual({ ...before.rows, proposals: before.rows.proposals! + 1 });

  const confirmed = await post(`/v1/revocations/${asked.body.id}/confirm`, bob, {});
  expect(confirmed).toMatchObject({ status: 200, body: { id: asked.body.id } });
  expect(await logRows()).toEqual({
    entries: before.rows.entries! + 1,
    revocations: before.rows.revocations! + 1,
    proposals: before.rows.proposals,
  });
  await vi.waitFor(async () => {
    expect(await denied()).toEqual([...before.denied, "deny:client_id:cli_mass"]);
  });
  expect((await live()).n).toBe(TOKENS + 1);
}, 120_000);
