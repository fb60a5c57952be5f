import { describe, expect, it } from "vitest";
import type { RevocationRecord } from "../../../src/revocation/record.ts";
import type { RevocationMatch } from "../../../src/revocation/rule.ts";
import {
  configured,
  delivers,
  EVENTS_SUPPORTED,
  POLL,
  PUSH,
  presentStream,
  type Stream,
} from "../../../src/signals/stream.ts";
import { eventOf, verificationEvent } from "../../../src/signals/stream-event.ts";

const OURS = "https://gate.example.com";
const IDP = "https://idp.example.com";

const record = (match: RevocationMatch, actor = "cli_1"): RevocationRecord => ({
  id: "rev_1",
  match,
  reason: "laptop stolen",
  actor,
  created_at: 1_800_000_000,
  state: "in_force",
  history: [],
});
const subjectOf = (match: RevocationMatch) => eventOf(record(match), OURS)?.sub_id;
const opaque = (id: string) => ({ format: "opaque", id });

describe("a revocation as receivers are told of it", () => {
  it.each<[RevocationMatch, object]>([
    [{ sub: "corp|alice" }, { format: "iss_sub", iss: OURS, sub: "corp|alice" }],
    [
      { iss: OURS, sub: "corp|alice" },
      { format: "iss_sub", iss: OURS, sub: "corp|alice" },
    ],
    [
      { iss: IDP, sub: "alice" },
      { format: "iss_sub", iss: IDP, sub: "alice" },
    ],
    [
      { session: "ses_1", iss: OURS },
      { format: "complex", session: opaque("ses_1") },
    ],
    [{ grant: "grt_1" }, { format: "complex", grant: opaque("grt_1") }],
    [{ client_id: "cli_9" }, { format: "complex", application: opaque("cli_9") }],
    [
      { jti: "tok_1", iss: IDP },
      { format: "jwt_id", iss: IDP, jti: "tok_1" },
    ],
    [{ jti: "tok_1" }, { format: "jwt_id", iss: OURS, jti: "tok_1" }],
    [
      { sub: "corp|alice", client_id: "cli_9" },
      {
        format: "complex",
        user: { format: "iss_sub", iss: OURS, sub: "corp|alice" },
        application: opaque("cli_9"),
      },
    ],
  ])("names whom it hits: %j", (match, subject) => expect(subjectOf(match)).toEqual(subject));

  it.each<RevocationMatch>([
    {},
    { kid: "k" },
    { jkt: "t" },
    { iss: IDP },
    { kid: "k", sub: "corp|alice" },
    { session: "sid-1", iss: IDP },
  ])("is told of nobody where no identifier says whom it hits: %j", (match) => {
    expect(subjectOf(match)).toBeUndefined();
  });

  it("is told of nobody where tokens stay good on a condition", () => {
    const stepUp = { kind: "step_up", signed_in_since: 1 } as const;
    const { sub_id } = eventOf(record({ sub: "corp|alice" }), OURS)!;
    expect(sub_id).toBeDefined();
    expect(eventOf({ ...record({ sub: "corp|alice" }), effect: stepUp }, OURS)).toBeUndefined();
    expect(subjectOf({ address: "192.0.2.1" })).toBeUndefined();
  });

  it("says when, on whose side, and which revocation; never the reason", () => {
    const event = eventOf(record({ sub: "corp|alice" }), OURS);
    expect(event).toMatchObject({
      uri: "https://schemas.openid.net/secevent/caep/event-type/session-revoked",
      txn: "rev_1",
      payload: { event_timestamp: 1_800_000_000, initiating_entity: "admin" },
      subject: "corp|alice",
    });
    expect(JSON.stringify(event)).not.toContain("stolen");
    for (const actor of ["transmitter:corp", "issuer:corp"]) {
      const told = eventOf(record({ sub: "corp|alice" }, actor), OURS);
      expect(told?.payload).toMatchObject({ initiating_entity: "system" });
    }
    expect(eventOf(record({ iss: IDP, sub: "alice" }), OURS)).not.toHaveProperty("subject");
  });

  it("is a verification of the stream itself, with the receiver's state", () => {
    expect(verificationEvent("str_1", "s")).toMatchObject({
      sub_id: opaque("str_1"),
      payload: { state: "s" },
    });
    expect(verificationEvent("str_1", undefined).payload).toEqual({});
  });
});

describe("a stream", () => {
  const stream: Stream = { id: "str_1", client_id: "cli_1", method: POLL, status: "enabled", revision: 3 };
  const push = {
    method: PUSH,
    endpoint_url: "https://r.example.com/e",
    authorization_header: "Bearer s",
  } as const;

  it("is shown with what both sides say of it, and without the header", () => {
    expect(presentStream(stream, OURS)).toMatchObject({
      ...{ stream_id: "str_1", iss: OURS, aud: "cli_1", events_delivered: EVENTS_SUPPORTED },
      delivery: { method: POLL, endpoint_url: `${OURS}/v1/signals/streams/str_1/poll` },
    });
    const pushed = configured(stream, { delivery: push, description: "d" });
    const shown = presentStream(pushed, OURS);
    expect(shown).toMatchObject({
      delivery: { method: PUSH, endpoint_url: "https://r.example.com/e" },
      description: "d",
    });
    expect(JSON.stringify([pushed, shown])).not.toContain("Bearer s");
  });

  it("keeps its delivery where nothing is said of it, and forgets the rest", () => {
    const pushed = configured({ ...stream, description: "d", events_requested: [] }, { delivery: push });
    expect(pushed).toEqual({ ...stream, method: PUSH, endpoint_url: "https://r.example.com/e", revision: 4 });
    expect(configured(pushed, { description: "e" })).toEqual({ ...pushed, description: "e", revision: 5 });
    const { endpoint_url: _gone, ...polled } = pushed;
    expect(configured(pushed, { delivery: { method: POLL } })).toEqual({
      ...polled,
      method: POLL,
      revision: 5,
    });
  });

  it("delivers what is supported and asked for, and nothing else", () => {
    const [uri = ""] = EVENTS_SUPPORTED;
    expect(delivers(stream, uri)).toBe(true);
    expect(delivers({ ...stream, events_requested: [uri, "urn:x"] }, uri)).toBe(true);
    expect(delivers({ ...stream, events_requested: ["urn:x"] }, uri)).toBe(false);
    expect(delivers({ ...stream, events_requested: ["urn:x"] }, "urn:x")).toBe(false);
  });
});
