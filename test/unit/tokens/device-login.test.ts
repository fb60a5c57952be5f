import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type DeviceLogin,
  decideLogin,
  pollLogin,
  readUserCode,
  userCodeOf,
} from "../../../src/tokens/device-login.ts";

const NOW = 1_800_000_000;
const login: DeviceLogin = {
  user_code: "BCDF-GHJK",
  device_hash: "hash",
  client_id: "portcullis-cli",
  address: "192.0.2.1",
  begun_at: NOW,
  expires_at: NOW + 600,
  interval_seconds: 5,
  next_poll_ms: NOW * 1000,
  decided: "pending",
};
const assertion = {
  facts: { iss: "https://idp.example.com", sub: "alice", subject: "idp|alice", iat: NOW, kid: "" },
  issuer_id: "idp",
  roles: [],
  scopes: [],
};
const approval = { outcome: "approve", assertion, session_id: "ses_1" } as const;
const msAfter = (seconds: number) => (NOW + seconds) * 1000;

describe("a device's login", () => {
  it("is decided on once, while it lasts", () => {
    const approved = decideLogin(login, approval, NOW + 599);
    expect(approved).toMatchObject({ ok: true, value: { decided: "approved", session_id: "ses_1" } });
    expect(decideLogin(login, { outcome: "deny" }, NOW)).toMatchObject({
      ok: true,
      value: { decided: "denied" },
    });
    expect(decideLogin(login, approval, NOW + 600)).toMatchObject({ ok: false, error: { code: "gone" } });
    if (!approved.ok) return;
    expect(decideLogin(approved.value, { outcome: "deny" }, NOW)).toMatchObject({ ok: false });
    expect(decideLogin(approved.value, { ...approval, session_id: "ses_2" }, NOW)).toMatchObject({
      ok: false,
    });
  });

  it("tells the device the truth at each poll, and the same approval again", () => {
    expect(pollLogin(login, msAfter(1)).told).toEqual({ state: "authorization_pending" });
    expect(pollLogin({ ...login, decided: "denied" }, msAfter(1)).told).toEqual({ state: "access_denied" });
    expect(pollLogin(login, msAfter(600)).told).toEqual({ state: "expired_token" });
    const approved = { ...login, decided: "approved" as const, assertion, session_id: "ses_1" };
    const told = { state: "approved", session_id: "ses_1", assertion };
    expect([1, 2, 599].map((s) => pollLogin(approved, msAfter(s)).told)).toEqual([told, told, told]);
    expect(pollLogin(approved, msAfter(600)).told).toEqual({ state: "expired_token" });
  });

  it("slows down who polls faster than told, and not who keeps the interval", () => {
    let { login: polled } = pollLogin(login, msAfter(0));
    expect(pollLogin(polled, msAfter(5)).told.state).toBe("authorization_pending");
    const early = pollLogin(polled, msAfter(4));
    expect([early.told.state, early.login.interval_seconds]).toEqual(["slow_down", 10]);
    polled = early.login;
    expect(pollLogin(polled, msAfter(13)).told.state).toBe("slow_down");
    expect(pollLogin(polled, msAfter(14)).told.state).toBe("authorization_pending");
  });
});

describe("a user code", () => {
  it("is eight letters, each as likely as another, and is read as people type it", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
        const code = userCodeOf(bytes);
        if (code === undefined) return bytes.filter((byte) => byte < 240).length < 8;
        const typed = [code, code.toLowerCase(), code.replace("-", ""), ` ${code.replace("-", " ")} `];
        return (
          /^[B-DF-HJ-NP-TV-XZ]{4}-[B-DF-HJ-NP-TV-XZ]{4}$/.test(code) &&
          typed.every((text) => readUserCode(text) === code)
        );
      }),
    );
    const counts = new Map<string, number>();
    for (let byte = 0; byte < 240; byte++) {
      const [letter] = userCodeOf(new Uint8Array(8).fill(byte))!;
      counts.set(letter!, (counts.get(letter!) ?? 0) + 1);
    }
    expect([counts.size, new Set(counts.values())]).toEqual([20, new Set([12])]);
    for (const other of ["", "BCDF-GHJ", "BCDF-GHJA", "BCDF-GHJKL", "BCDF-GHJ1", "БCDF-GHJK"]) {
      expect(readUserCode(other), other).toBeUndefined();
    }
  });
});
