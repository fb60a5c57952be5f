import { utf8 } from "../protocol/encoding.ts";
import { err, ok, type Result } from "../protocol/result.ts";

/** How far a request's timestamp may be from now, to either side (Slack: five minutes). */
const TOLERANCE_SECONDS = 300;
const TIMESTAMP = /^[0-9]{1,12}$/;
const SIGNATURE = /^v0=([0-9a-f]{64})$/;

export type SlackSignatureFault = "missing" | "malformed" | "too_old" | "too_new" | "mismatch";

/** `X-Slack-Signature` and `X-Slack-Request-Timestamp` as they came; `body` is the exact text. */
export type SlackSigned = { timestamp: string | null; signature: string | null; body: string };

/** Slack's signature: `v0=` HMAC-SHA-256 over `v0:timestamp:body`. The platform compares in constant time. */
export async function verifySlack(
  { timestamp, signature, body }: SlackSigned,
  signingSecret: string,
  nowSeconds: number,
): Promise<Result<null, SlackSignatureFault>> {
  if (timestamp === null || signature === null) return err("missing");
  const digest = SIGNATURE.exec(signature)?.[1];
  if (!TIMESTAMP.test(timestamp) || digest === undefined) return err("malformed");
  if (nowSeconds - Number(timestamp) > TOLERANCE_SECONDS) return err("too_old");
  if (Number(timestamp) - nowSeconds > TOLERANCE_SECONDS) return err("too_new");
  const hmac = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", utf8(signingSecret), hmac, false, ["verify"]);
  const given = Uint8Array.from(digest.match(/../g)!, (byte) => Number.parseInt(byte, 16));
  const fits = await crypto.subtle.verify("HMAC", key, given, utf8(`v0:${timestamp}:${body}`));
  return fits ? ok(null) : err("mismatch");
}
