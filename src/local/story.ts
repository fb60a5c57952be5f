import { decodeJwt } from "jose";
import { call, memberOf, textOf } from "./http-call.ts";
import { IDENTITY_AUDIENCE } from "./identity-provider.ts";
import { PEOPLE, type Person } from "./people.ts";
import { TOKEN_EXCHANGE } from "./set-up.ts";
import { signIn } from "./sign-in.ts";
import { check, exchange, type Stage } from "./stage.ts";
import { approve, ask, collect, endByTime, readDecision, revoke, useToken } from "./story-access.ts";

/** Marks the demo's own webhook endpoints, so that one that was left behind is found. */
const ENDPOINT_DESCRIPTION = "npm run demo";

/** Plays the whole story; rejects with `StoryFault` at the first thing that is not as told. */
export async function playStory(stage: Stage): Promise<void> {
  const { tell } = stage;
  tell.step("Without a token, nobody gets through the gate");
  await refusedWithoutToken(stage);

  tell.step("Alice signs in; the gate exchanges her token for one of its own");
  const alice = await signInAndExchange(stage, "alice");

  tell.step("Alice asks for access; a webhook tells her approvers");
  const olivia = await quietly(stage, "olivia");
  const endpoint = await registerReceiver(stage, olivia);
  try {
    const asked = await ask(stage, alice, 600);

    tell.step("Bob approves: a decision that is signed with the webhook's secret");
    await approve(stage, asked, endpoint.secret);
    await readDecision(stage, alice, asked);

    tell.step("Alice collects her token and calls the API through the gate");
    const collected = await collect(stage, alice, asked);
    await useToken(stage, collected);

    tell.step("Olivia, the operator, takes the grant back");
    await revoke(stage, olivia, collected);

    tell.step("Another grant, for 3 seconds: time alone ends it");
    await endByTime(stage, alice, endpoint.secret);
  } finally {
    await call(`${stage.running.issuer}/v1/webhook-endpoints/${endpoint.id}`, {
      method: "DELETE",
      token: olivia,
    });
  }
}

async function refusedWithoutToken(stage: Stage): Promise<void> {
  const answer = await exchange(stage, "GET", "/orders", {
    status: 401,
    showGot: ({ headers }) => `WWW-Authenticate: ${headers.get("www-authenticate")}`,
  });
  const challenge = answer.headers.get("www-authenticate");
  check(/^Bearer /.test(challenge ?? ""), "a Bearer challenge", challenge ?? "no WWW-Authenticate");
  stage.tell.note("The gate answered by itself and says what is missing (RFC 6750).");
}

async function signInAndExchange(stage: Stage, user: Person): Promise<string> {
  const { running, tell, client } = stage;
  tell.sent(`GET ${running.identity_provider}/auth … (authorization code flow with PKCE)`);
  const theirs = await signIn({ idp: running.identity_provider, user });
  const { iss, aud, sub, roles } = decodeJwt(theirs);
  tell.got(200, { access_token: theirs, iss, aud, sub, roles });
  check(sub === user && aud === IDENTITY_AUDIENCE, `a token of ${user}`, `one of ${sub} for ${aud}`);
  const answer = await exchange(stage, "POST", "/oauth/token", {
    as: "the demo's client",
    status: 200,
    client,
    form: exchangeForm(theirs),
    showSent: { grant_type: "…:token-exchange", subject_token: theirs, subject_token_type: "…:access_token" },
    showGot: ({ body }) => ({ access_token: textOf(body, "access_token"), scope: textOf(body, "scope") }),
  });
  const ours = textOf(answer.body, "access_token") ?? "";
  const claims = decodeJwt(ours);
  check(
    claims.sub === `demo|${user}` && claims.iss === running.issuer,
    `a token of demo|${user}`,
    `${claims.sub}`,
  );
  const left = (claims.exp ?? 0) - (claims.iat ?? 0);
  tell.note(`She is ${claims.sub}, ${PEOPLE[user].role}, at the gate's own API, for ${left} s.`);
  return ours;
}

/** The same two requests as in step 2, not told again. */
async function quietly(stage: Stage, user: Person): Promise<string> {
  const { issuer, identity_provider: idp } = stage.running;
  const form = exchangeForm(await signIn({ idp, user }));
  const answer = await call(`${issuer}/oauth/token`, { client: stage.client, form });
  const token = textOf(answer.body, "access_token");
  check(token !== undefined, `a token of demo|${user}`, `status ${answer.status}`);
  return token;
}

function exchangeForm(subjectToken: string): Record<string, string> {
  return {
    grant_type: TOKEN_EXCHANGE,
    subject_token: subjectToken,
    subject_token_type: "urn:ietf:params:oauth:token-type:access_token",
  };
}

async function registerReceiver(stage: Stage, olivia: string): Promise<{ id: string; secret: string }> {
  await removeLeftEndpoints(stage, olivia);
  const answer = await exchange(stage, "POST", "/v1/webhook-endpoints", {
    as: "Olivia",
    status: 201,
    token: olivia,
    json: {
      url: stage.receiver.url,
      events: ["access_request.*", "grant.*"],
      description: ENDPOINT_DESCRIPTION,
      reviews_as: { roles: ["approver"], subjects: ["demo|bob"] },
    },
    showGot: ({ body }) => ({ id: textOf(body, "id"), secret: textOf(body, "secret") }),
  });
  const id = textOf(answer.body, "id") ?? "";
  const secret = textOf(answer.body, "secret") ?? "";
  check(secret.startsWith("whsec_"), "a secret whsec_…", "none");
  stage.receiver.trust(secret);
  stage.tell.note("Olivia is the operator. Whoever holds the secret may decide as Bob.");
  return { id, secret };
}

/** Of a demo that was killed: nobody listens at their address any more. */
async function removeLeftEndpoints(stage: Stage, olivia: string): Promise<void> {
  const url = `${stage.running.issuer}/v1/webhook-endpoints`;
  const page = await call(`${url}?limit=200`, { token: olivia });
  const items = memberOf(page.body, "items");
  for (const item of Array.isArray(items) ? items : []) {
    if (textOf(item, "description") !== ENDPOINT_DESCRIPTION) continue;
    const alive = await call(textOf(item, "url") ?? "", { timeoutMs: 1_000 }).catch(() => undefined);
    if (!alive) await call(`${url}/${textOf(item, "id")}`, { method: "DELETE", token: olivia });
  }
}
