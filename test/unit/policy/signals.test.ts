import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { checkPolicy } from "../../../src/policy/check.ts";
import type { PolicyContext } from "../../../src/policy/cross-faults.ts";

const CONTEXT: PolicyContext = { issuer: "https://auth.example.com", local: false };
const JWKS = { keys: [{ kty: "EC", kid: "1", crv: "P-256", x: "x", y: "y" }] };
const issuer = {
  id: "corp",
  issuer: "https://login.example.com",
  jwks: JWKS,
  algorithms: ["ES256"],
  audience: "portcullis",
};
const transmitter = (over: object = {}) => ({
  id: "corp",
  issuer: "https://login.example.com",
  jwks_uri: "https://login.example.com/jwks",
  algorithms: ["ES256"],
  audience: "https://auth.example.com",
  subjects_of: "corp",
  ...over,
});

function faultsOf(...transmitters: object[]): string[] {
  const document = JSON.parse(JSON.stringify({ issuers: [issuer], signals: { transmitters } }));
  const checked = checkPolicy(document, CONTEXT);
  return checked.ok ? [] : (checked.error.extra?.faults as string[]);
}

describe("transmitters of signals", () => {
  it("are listened to as they are configured, with defaults that revoke", () => {
    const checked = checkPolicy({ issuers: [issuer], signals: { transmitters: [transmitter()] } }, CONTEXT);
    const defaults = {
      ...{ email_is_sub: false, opaque_names: "subject", max_age_seconds: 86_400 },
      ...{ global_token_revocation: false, events: {} },
    };
    expect(checked).toMatchObject({ ok: true, value: { signals: { transmitters: [defaults] } } });
  });

  it.each<[string, object]>([
    ["keys of its own", { jwks_uri: undefined, jwks: JWKS }],
    ["another issuer than its people's", { issuer: "https://signals.example.com" }],
    ["one action for an event", { events: { "session-revoked": "notify" } }],
    ["actions by level", { events: { "risk-level-change": { LOW: "notify", HIGH: "revoke_subject" } } }],
    ["an age of a week", { max_age_seconds: 604_800 }],
  ])("may have %s", (_what, over) => expect(faultsOf(transmitter(over))).toEqual([]));

  const at = "signals.transmitters.0";
  it.each<[string, object, string]>([
    ["no keys", { jwks_uri: undefined }, `${at}: give exactly one of jwks_uri and jwks`],
    ["two sets of keys", { jwks: JWKS }, `${at}: give exactly one of jwks_uri and jwks`],
    ["HS256", { algorithms: ["HS256"] }, `${at}.algorithms.0`],
    ["no algorithm", { algorithms: [] }, `${at}.algorithms`],
    ["people of nobody", { subjects_of: "none" }, `${at}.subjects_of: there is no issuer "none"`],
    ["an issuer in the clear", { issuer: "http://login.example.com" }, `${at}.issuer: must be https`],
    ["keys in the clear", { jwks_uri: "http://login.example.com/k" }, `${at}.jwks_uri: must be https`],
    ["us as its issuer", { issuer: "https://auth.example.com" }, `${at}.issuer: is this deployment itself`],
    ["an unknown event", { events: { "session-lost": "notify" } }, `${at}.events.session-lost`],
    ["an unknown action", { events: { "session-revoked": "kill" } }, `${at}.events.session-revoked`],
    [
      "a level that is none",
      { events: { "risk-level-change": { EXTREME: "notify" } } },
      `${at}.events.risk-level-change.EXTREME: is no current_level; use LOW, MEDIUM, HIGH`,
    ],
    [
      "kinds of an event that has none",
      { events: { "session-revoked": { HIGH: "notify" } } },
      `${at}.events.session-revoked.HIGH: this event has one kind: give one action`,
    ],
    ["an age of more than a week", { max_age_seconds: 604_801 }, `${at}.max_age_seconds`],
    ["a member that is none", { secret: "x" }, `${at}.secret`],
  ])("may not have %s", (_what, over, fault) => {
    expect(faultsOf(transmitter(over))[0]).toContain(fault);
  });

  it("are documented by a policy that can be put", () => {
    const text = readFileSync(new URL("../../../docs/signals.md", import.meta.url).pathname, "utf8");
    const [, example] = /```json\n([\s\S]*?)```/.exec(text) ?? [];
    expect(checkPolicy(JSON.parse(example!), CONTEXT)).toMatchObject({ ok: true });
  });

  it("are one for each id and each issuer", () => {
    const other = { id: "other", issuer: "https://other.example.com" };
    expect(faultsOf(transmitter(), transmitter(other))).toEqual([]);
    const second = "signals.transmitters.1";
    expect(faultsOf(transmitter(), transmitter({ ...other, id: "corp" }))).toEqual([
      `${second}.id: "corp" is already used by signals.transmitters.0`,
    ]);
    expect(faultsOf(transmitter(), transmitter({ id: "other" }))).toEqual([
      `${second}.issuer: "https://login.example.com" is already used by signals.transmitters.0`,
    ]);
  });
});
