import { readFile, writeFile } from "node:fs/promises";
import { type Addresses, DEMO_SCOPES, demoPolicy, moveAddresses } from "./demo-policy.ts";
import { type Answer, call, complaint, memberOf, textOf } from "./http-call.ts";

export const TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";

/** An OAuth client's credentials at the gate. */
export type ClientCredentials = { id: string; secret: string };

/** What is kept between starts (`demo.json`, mode 0600). */
type DemoRecord = { client: ClientCredentials; addresses: Addresses };

/**
 * Gives a gate what the demo needs, as the operator and over its HTTP API: the demo policy where there is
 * none, the present addresses where ports moved, and an OAuth client for token exchange. Whatever else the
 * user changed stays as it is.
 */
export async function setUp(options: {
  issuer: string;
  operatorSecret: string;
  addresses: Addresses;
  demoFile: string;
}): Promise<ClientCredentials> {
  const { issuer, addresses, demoFile } = options;
  const token = await operatorToken(issuer, options.operatorSecret);
  const kept = await readDemoRecord(demoFile);
  await applyPolicy(issuer, token, addresses, kept?.addresses);
  const client = (await knownClient(issuer, token, kept?.client)) ?? (await registerClient(issuer, token));
  const record: DemoRecord = { client, addresses };
  await writeFile(demoFile, `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600 });
  return client;
}

/** The credentials that the last set-up kept. */
export async function demoClient(demoFile: string): Promise<ClientCredentials> {
  const record = await readDemoRecord(demoFile);
  if (record === undefined) throw new Error(`${demoFile} is missing: stop what runs and start it again.`);
  return record.client;
}

async function operatorToken(issuer: string, secret: string): Promise<string> {
  const answer = await call(`${issuer}/oauth/token`, {
    client: { id: "operator", secret },
    // A client can be registered only with scopes that the registering token has itself.
    form: { grant_type: "client_credentials", scope: DEMO_SCOPES.join(" ") },
  });
  return textOf(answer.body, "access_token") ?? fail("The operator got no access token", answer);
}

async function applyPolicy(issuer: string, token: string, now: Addresses, before?: Addresses): Promise<void> {
  const current = await call(`${issuer}/v1/policy`, { token });
  if (current.status !== 200) fail("The policy could not be read", current);
  const document =
    memberOf(current.body, "version") === 0
      ? demoPolicy(now)
      : before && moveAddresses(memberOf(current.body, "document") as object, before, now);
  if (document === undefined) return;
  const etag = current.headers.get("etag");
  const put = await call(`${issuer}/v1/policy`, {
    method: "PUT",
    token,
    json: document,
    headers: etag === null ? {} : { "if-match": etag },
  });
  if (put.status >= 300) fail("The demo policy was refused", put);
}

async function knownClient(
  issuer: string,
  token: string,
  client: ClientCredentials | undefined,
): Promise<ClientCredentials | undefined> {
  if (client === undefined) return undefined;
  const answer = await call(`${issuer}/v1/clients/${client.id}`, { token });
  return answer.status === 200 ? client : undefined;
}

async function registerClient(issuer: string, token: string): Promise<ClientCredentials> {
  const answer = await call(`${issuer}/v1/clients`, {
    token,
    json: {
      name: "demo",
      grant_types: [TOKEN_EXCHANGE],
      scopes: DEMO_SCOPES,
    },
  });
  const id = textOf(answer.body, "client_id");
  const secret = textOf(answer.body, "client_secret");
  return id && secret ? { id, secret } : fail("The demo's client was not registered", answer);
}

async function readDemoRecord(file: string): Promise<DemoRecord | undefined> {
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch {
    return undefined;
  }
}

function fail(what: string, answer: Answer): never {
  throw new Error(`${what} (${complaint(answer)})`);
}
