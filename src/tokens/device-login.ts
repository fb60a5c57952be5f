import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { Assertion } from "./session.ts";

export const DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code";

/** How long a person may take, and how long to wait between two polls (RFC 8628 §3.2). */
export const DEVICE_LOGIN_SECONDS = 600;
export const POLL_INTERVAL_SECONDS = 5;
/** What `slow_down` adds (RFC 8628 §3.5). */
const SLOW_DOWN_SECONDS = 5;

/**
 * Somebody's sign-in on a device that has no browser of its own, as it is stored. Times are epoch seconds but for
 * `…_ms`.
 */
export type DeviceLogin = {
  /** What the person compares, or types: eight letters. */
  user_code: string;
  /** SHA-256, hex, of what the device polls with. */
  device_hash: string;
  client_id: string;
  /** What the device asked for; absent: all that its person may have through the client. */
  scopes?: string[];
  /** From where the device asked. */
  address: string;
  begun_at: number;
  expires_at: number;
  interval_seconds: number;
  next_poll_ms: number;
  decided: "pending" | "approved" | "denied";
  /** Who approved: what their provider said of them, and the session that the device gets. */
  assertion?: Assertion;
  session_id?: string;
};

/** What the person sees before they decide. */
export type ShownLogin = Pick<DeviceLogin, "user_code" | "client_id" | "scopes" | "address" | "begun_at">;

export type DevicePoll =
  | { state: "authorization_pending" | "slow_down" | "access_denied" | "expired_token" | "unknown" }
  | { state: "approved"; session_id: string; assertion: Assertion; scopes?: string[] };

/** The object that holds them, as others call it. */
export type DeviceLoginPort = {
  begin(
    ask: Pick<DeviceLogin, "device_hash" | "client_id" | "scopes" | "address">,
  ): Promise<Result<{ user_code: string }>>;
  look(userCode: string): Promise<Result<ShownLogin>>;
  decide(userCode: string, decision: DeviceDecision): Promise<Result<null>>;
  poll(deviceHash: string, clientId: string): Promise<Result<DevicePoll>>;
};

export type DeviceDecision =
  | { outcome: "deny" }
  | { outcome: "approve"; assertion: Assertion; session_id: string };

/** Letters that make no words and are not taken for each other (RFC 8628 §6.1): 20⁸ codes. */
const LETTERS = "BCDFGHJKLMNPQRSTVWXZ";
const CODE_LETTERS = 8;

/** @param bytes random; those that would favour a letter are left out. Undefined where too few are left. */
export function userCodeOf(bytes: Uint8Array): string | undefined {
  const even = [...bytes].filter((byte) => byte < 256 - (256 % LETTERS.length)).slice(0, CODE_LETTERS);
  if (even.length < CODE_LETTERS) return undefined;
  const letters = even.map((byte) => LETTERS[byte % LETTERS.length]).join("");
  return `${letters.slice(0, 4)}-${letters.slice(4)}`;
}

/** As people type it: in small letters, without the dash, with spaces. Undefined where it is no code. */
export function readUserCode(text: string): string | undefined {
  const letters = text.toUpperCase().replaceAll(/[\s-]/g, "");
  const valid = letters.length === CODE_LETTERS && [...letters].every((letter) => LETTERS.includes(letter));
  return valid ? `${letters.slice(0, 4)}-${letters.slice(4)}` : undefined;
}

const OVER = problem("gone", "This code is over, or was decided on already. Start again on the device.");

export function decideLogin(
  login: DeviceLogin,
  decision: DeviceDecision,
  nowSeconds: number,
): Result<DeviceLogin> {
  if (login.decided !== "pending" || nowSeconds >= login.expires_at) return err(OVER);
  if (decision.outcome === "deny") return ok({ ...login, decided: "denied" });
  const { assertion, session_id } = decision;
  return ok({ ...login, decided: "approved", assertion, session_id });
}

/** What the device is told, and the login as it is after the poll. An approval is told until the login is over. */
export function pollLogin(login: DeviceLogin, nowMs: number): { told: DevicePoll; login: DeviceLogin } {
  if (nowMs >= login.expires_at * 1000) return { told: { state: "expired_token" }, login };
  if (login.decided === "denied") return { told: { state: "access_denied" }, login };
  const { session_id, assertion, scopes } = login;
  if (login.decided === "approved" && session_id !== undefined && assertion) {
    return { told: { state: "approved", session_id, assertion, ...(scopes ? { scopes } : {}) }, login };
  }
  const early = nowMs < login.next_poll_ms;
  const interval_seconds = login.interval_seconds + (early ? SLOW_DOWN_SECONDS : 0);
  const polled = { ...login, interval_seconds, next_poll_ms: nowMs + interval_seconds * 1000 };
  return { told: { state: early ? "slow_down" : "authorization_pending" }, login: polled };
}
