import { Webhook } from "standardwebhooks";
import type { Answer } from "../../src/local/http-call.ts";
import type { Deployment } from "./deployment.ts";

/** What a sender can get wrong; all right where absent. */
export type Sending = {
  messageId?: string;
  /** When it says that it was signed, epoch seconds. */
  at?: number;
  /** What is sent in the place of what was signed. */
  tamper?: (message: Message) => Message;
};

export type Message = { headers: Record<string, string>; body: string };

let sent = 0;

/** Sends one decision, signed with an endpoint's secret as Standard Webhooks has it. */
export async function sendDecision(
  gate: Deployment,
  { secret }: { secret: string },
  data: object,
  { messageId = `msg_${++sent}`, at = Date.now() / 1000, tamper }: Sending = {},
): Promise<Answer> {
  const body = JSON.stringify({ type: "access_request.review", data });
  const whole = { headers: signed(secret, messageId, Math.floor(at), body), body };
  const message = tamper ? tamper(whole) : whole;
  return gate.postText("/v1/hooks/decisions", message.body, message.headers);
}

/** The headers of a message that is signed with the secret. */
export function signed(secret: string, id: string, at: number, body: string): Record<string, string> {
  return {
    "content-type": "application/json",
    "webhook-id": id,
    "webhook-timestamp": String(at),
    "webhook-signature": new Webhook(secret).sign(id, new Date(at * 1000), body),
  };
}
