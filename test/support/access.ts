import type { Answer } from "../../src/local/http-call.ts";
import { bodyOf, type Deployment, type Receipt } from "./deployment.ts";

/** An access request as the API shows it. */
export type ShownRequest = {
  id: string;
  state: string;
  requester: string;
  scope: string;
  review_deadline: number;
  reviews: { id: string; approver: string; outcome: string; via?: string }[];
  grant?: { id: string; state: string; access_start: number; access_expiry: number };
};

/** A grant with an access token of it. */
export type HeldGrant = { request: string; grant: string; token: string; expiresAt: number };

export const ORDERS = { resource: "orders", scope: "orders:read", justification: "a test" };

export async function ask(gate: Deployment, token: string, members: object = {}): Promise<ShownRequest> {
  const json = { ...ORDERS, ...members };
  return bodyOf(await gate.call("/v1/access-requests", { token, json }), 201);
}

export function review(gate: Deployment, token: string, id: string, members: object = {}): Promise<Answer> {
  const json = { outcome: "approve", ...members };
  return gate.call(`/v1/access-requests/${id}/reviews`, { token, json });
}

export async function read(gate: Deployment, id: string, token = gate.operator): Promise<ShownRequest> {
  return bodyOf(await gate.call(`/v1/access-requests/${id}`, { token }), 200);
}

export async function collect(gate: Deployment, token: string, id: string): Promise<string> {
  const answer = await gate.call(`/v1/access-requests/${id}/token`, { method: "POST", token });
  return bodyOf<{ access_token: string }>(answer, 200).access_token;
}

/** Asks, has it approved, and collects the token. */
export async function hold(
  gate: Deployment,
  people: { requester: { token: string }; approver: { token: string } },
  members: object = {},
): Promise<HeldGrant> {
  const { requester, approver } = people;
  const { id } = await ask(gate, requester.token, members);
  const approved = bodyOf<ShownRequest>(await review(gate, approver.token, id), 201);
  const { id: grant, access_expiry: expiresAt } = approved.grant!;
  return { request: id, grant, expiresAt, token: await collect(gate, requester.token, id) };
}

export async function revokeGrant(gate: Deployment, grant: string, token = gate.operator): Promise<Receipt> {
  return bodyOf(await gate.call(`/v1/grants/${grant}/revoke`, { token, json: { reason: "a test" } }), 200);
}
