import { randomUUID } from "node:crypto";
import { decodeJwt } from "jose";
import { Webhook } from "standardwebhooks";
import { memberOf, textOf } from "./http-call.ts";
import { check, exchange, type Stage, untilRefused } from "./stage.ts";

const WEBHOOK_TIMEOUT_MS = 10_000;
const APPROVER = "demo|bob";

/** An access token that was collected, and the grant that it draws on. */
type Collected = { token: string; grant: string; expiresAtMs: number };

/** Asks for `orders:read` on orders; answers the access request's id once its webhook has arrived. */
export async function ask(stage: Stage, alice: string, durationSeconds: number): Promise<string> {
  const askedMs = Date.now();
  const answer = await exchange(stage, "POST", "/v1/access-requests", {
    as: "Alice",
    status: 201,
    token: alice,
    json: {
      resource: "orders",
      scope: "orders:read",
      duration_seconds: durationSeconds,
      justification: "ticket 42: a parcel is lost",
    },
    showGot: ({ body }) => ({ id: textOf(body, "id"), state: textOf(body, "state") }),
  });
  const id = textOf(answer.body, "id") ?? "";
  check(textOf(answer.body, "state") === "pending", "state pending", String(textOf(answer.body, "state")));
  const webhook = await stage.receiver.arrived(
    ({ type, data }) => type === "access_request.created" && textOf(data, "access_request", "id") === id,
    WEBHOOK_TIMEOUT_MS,
  );
  const waitedMs = webhook.receivedAtMs - askedMs;
  stage.tell.note(`Webhook ${webhook.type} after ${waitedMs} ms; its signature verifies.`);
  check(stage.receiver.refused() === 0, "no webhook with a bad signature", `${stage.receiver.refused()}`);
  return id;
}

/** Sends Bob's decision, signed as Standard Webhooks with the endpoint's secret. */
export async function approve(stage: Stage, id: string, secret: string): Promise<void> {
  const sentAt = new Date();
  const message = {
    type: "access_request.review",
    timestamp: sentAt.toISOString(),
    data: { access_request_id: id, approver: APPROVER, outcome: "approve", comment: "go ahead" },
  };
  const messageId = `msg_${randomUUID()}`;
  const answer = await exchange(stage, "POST", "/v1/hooks/decisions", {
    as: "signed",
    status: 200,
    json: message,
    headers: {
      "webhook-id": messageId,
      "webhook-timestamp": String(Math.floor(sentAt.getTime() / 1000)),
      "webhook-signature": new Webhook(secret).sign(messageId, sentAt, JSON.stringify(message)),
    },
    showSent: message.data,
    showGot: ({ body }) => body,
  });
  const state = textOf(answer.body, "state");
  check(state === "approved", "state approved", `state ${state}`);
}

/** Reads the request as its requester sees it: who decided, and the grant. */
export async function readDecision(stage: Stage, alice: string, id: string): Promise<void> {
  const answer = await exchange(stage, "GET", `/v1/access-requests/${id}`, {
    as: "Alice",
    status: 200,
    token: alice,
    showGot: ({ body }) => ({
      state: memberOf(body, "state"),
      approver: memberOf(body, "reviews", "0", "approver"),
      grant: memberOf(body, "grant", "id"),
    }),
  });
  const approver = textOf(answer.body, "reviews", "0", "approver");
  check(approver === APPROVER, `a review by ${APPROVER}`, `one by ${approver}`);
}

/** Draws an access token from the approved request. */
export async function collect(stage: Stage, alice: string, id: string): Promise<Collected> {
  const answer = await exchange(stage, "POST", `/v1/access-requests/${id}/token`, {
    as: "Alice",
    status: 200,
    token: alice,
    showGot: ({ body }) => body,
  });
  const token = textOf(answer.body, "access_token") ?? "";
  const claims = decodeJwt(token);
  const grant = typeof claims.grant === "string" ? claims.grant : "";
  check(grant.startsWith("grt_"), "the claim grant", String(claims.grant));
  return { token, grant, expiresAtMs: (claims.exp ?? 0) * 1000 };
}

/** Calls the origin through the gate; the origin must have received who calls, and not the token. */
export async function useToken(stage: Stage, { token, grant }: Collected): Promise<void> {
  const answer = await exchange(stage, "GET", "/orders", {
    as: "the collected token",
    status: 200,
    token,
    showGot: ({ body }) => ({
      identity: memberOf(body, "identity"),
      assertion: { verified: memberOf(body, "assertion", "verified"), ...assertionOf(body) },
    }),
  });
  const subject = textOf(answer.body, "identity", "subject");
  check(subject === "demo|alice", "X-Portcullis-Subject demo|alice", String(subject));
  const asserted = textOf(answer.body, "assertion", "claims", "sub");
  check(asserted === "demo|alice", "an assertion about demo|alice", String(asserted));
  check(memberOf(answer.body, "identity", "grant") === grant, `X-Portcullis-Grant ${grant}`, "another");
  check(memberOf(answer.body, "authorization_received") === false, "no Authorization at the origin", "one");
  stage.tell.note("The origin got her name and a signed assertion, but not her token.");
}

function assertionOf(body: unknown): Record<string, unknown> {
  const claims = memberOf(body, "assertion", "claims");
  return { sub: memberOf(claims, "sub"), aud: memberOf(claims, "aud") };
}

/** Revokes the grant and measures how long its token still works. */
export async function revoke(stage: Stage, operator: string, { token, grant }: Collected): Promise<void> {
  const receipt = await exchange(stage, "POST", `/v1/grants/${grant}/revoke`, {
    as: "Olivia",
    status: 200,
    token: operator,
    json: { reason: "the ticket is closed" },
    showGot: ({ body }) => body,
  });
  const answeredMs = Date.now();
  const effectiveBy = memberOf(receipt.body, "effective_by", "bounded");
  const acceptedAt = memberOf(receipt.body, "accepted_at");
  check(
    typeof effectiveBy === "number" && typeof acceptedAt === "number",
    "a receipt with effective_by.bounded",
    JSON.stringify(receipt.body),
  );
  const boundMs = Math.round((effectiveBy - acceptedAt) * 1000);
  stage.tell.sent("GET /orders (the same token, every 20 ms)");
  const end = await untilRefused(stage, "/orders", token, boundMs + 2_000);
  stage.tell.got(401, `WWW-Authenticate: ${end.answer.headers.get("www-authenticate")}`);
  const late = end.lastAcceptedSentMs - effectiveBy * 1000;
  check(late <= 0, `no accepted request after ${boundMs} ms`, `one ${Math.ceil(late)} ms later`);
  const tookMs = Math.max(0, end.refusedMs - answeredMs);
  stage.tell.note(`First 401 ${tookMs} ms after the receipt; the promise was at most ${boundMs} ms.`);
}

/** A grant of three seconds: used, and then refused by time alone. */
export async function endByTime(stage: Stage, alice: string, secret: string): Promise<void> {
  const id = await ask(stage, alice, 3);
  await approve(stage, id, secret);
  const collected = await collect(stage, alice, id);
  await exchange(stage, "GET", "/orders", { as: "the collected token", status: 200, token: collected.token });
  stage.tell.sent("GET /orders (the same token, every 20 ms)");
  const end = await untilRefused(stage, "/orders", collected.token, 6_000);
  stage.tell.got(401, `WWW-Authenticate: ${end.answer.headers.get("www-authenticate")}`);
  const { expiresAtMs } = collected;
  check(
    end.refusedMs >= expiresAtMs,
    "access until the grant's end",
    `a 401 ${expiresAtMs - end.refusedMs} ms early`,
  );
  const late = end.lastAcceptedSentMs - expiresAtMs;
  check(late <= 0, "no accepted request after the grant's end", `one ${late} ms later`);
  stage.tell.note(`First 401 ${end.refusedMs - expiresAtMs} ms after the grant's end; nobody did anything.`);
}
