import { describe, expect, it } from "vitest";
import type { Json } from "../../../src/protocol/json.ts";
import { readSubject, type SubjectReading } from "../../../src/signals/subject-identifier.ts";

const ISS = "https://idp.example.com";
const OTHER = "https://other.example.com";
const READING: SubjectReading = { issuer: ISS, email_is_sub: false, opaque_names: "subject" };
const EMAILS: SubjectReading = { ...READING, email_is_sub: true };
const SESSIONS: SubjectReading = { ...READING, opaque_names: "session" };

const issSub = (sub: Json = "alice", iss: Json = ISS) => ({ format: "iss_sub", iss, sub });
const opaque = (id: Json) => ({ format: "opaque", id });
const email = { format: "email", email: "alice@example.com" };

describe("a subject identifier", () => {
  it.each<[string, SubjectReading, Json, object]>([
    ["iss_sub", READING, issSub(), { sub: "alice" }],
    ["opaque", READING, opaque("a-1"), { sub: "a-1" }],
    ["opaque where that is a session", SESSIONS, opaque("s-1"), { session: "s-1" }],
    ["iss_sub there", SESSIONS, issSub(), { sub: "alice" }],
    ["an email that is the sub", EMAILS, email, { sub: "alice@example.com" }],
    ["a complex user", READING, { format: "complex", user: issSub() }, { sub: "alice" }],
    ["a complex one without its format", READING, { user: issSub() }, { sub: "alice" }],
    ["a complex session", READING, { session: opaque("s-1") }, { session: "s-1" }],
    [
      "user and session",
      READING,
      { format: "complex", user: issSub(), session: opaque("s-1") },
      { sub: "alice", session: "s-1" },
    ],
    [
      "an opaque user where opaque is a session",
      SESSIONS,
      { format: "complex", user: opaque("alice"), session: opaque("s-1") },
      { sub: "alice", session: "s-1" },
    ],
    ["a user on a device", READING, { user: issSub(), device: opaque("d") }, { sub: "alice" }],
    ["a user of a tenant", READING, { user: issSub(), tenant: issSub("t", OTHER) }, { sub: "alice" }],
  ])("names somebody: %s", (_what, reading, value, named) => {
    expect(readSubject(value, reading)).toEqual({ ok: true, value: named });
  });

  it.each<[string, SubjectReading, Json, string]>([
    ["another issuer's subject", READING, issSub("alice", OTHER), "foreign"],
    ["the issuer with a slash more", READING, issSub("alice", `${ISS}/`), "foreign"],
    ["a complex user of another issuer", READING, { user: issSub("alice", OTHER) }, "foreign"],
    [
      "a session beside a user of another issuer",
      READING,
      { user: issSub("alice", OTHER), session: opaque("s") },
      "foreign",
    ],
    ["an email that is nobody's sub", READING, email, "unsupported"],
    ["a phone number", READING, { format: "phone_number", phone_number: "+12065550100" }, "unsupported"],
    ["a token", READING, { format: "jwt_id", iss: ISS, jti: "x" }, "unsupported"],
    ["a device alone", READING, { format: "complex", device: opaque("d") }, "unsupported"],
    ["a complex one of nothing", READING, { format: "complex" }, "unsupported"],
    ["a session named like a person", READING, { session: issSub("s") }, "unsupported"],
    ["nothing", READING, null, "malformed"],
    ["text", READING, "alice", "malformed"],
    ["a list", READING, [issSub()], "malformed"],
    ["no format", READING, { iss: ISS, sub: "alice" }, "malformed"],
    ["an unknown format", READING, { format: "name", name: "Alice" }, "malformed"],
    ["a format of every object", READING, { format: "toString" }, "malformed"],
    ["a member too few", READING, { format: "iss_sub", iss: ISS }, "malformed"],
    ["a member too many", READING, { ...issSub(), email: "a@b" }, "malformed"],
    ["an empty sub", READING, issSub(""), "malformed"],
    ["a sub that is a number", READING, issSub(7), "malformed"],
    ["a sub that no token has", READING, issSub("ali\nce"), "malformed"],
    ["a sub with a space at its end", READING, issSub("alice "), "malformed"],
    ["a sub over 512 characters", READING, issSub("a".repeat(513)), "malformed"],
    ["a complex user that is none", READING, { user: "alice" }, "malformed"],
  ])("names nobody: %s", (_what, reading, value, kind) => {
    expect(readSubject(value, reading)).toMatchObject({ ok: false, error: { kind } });
  });

  it("names nobody where it is missing", () => {
    expect(readSubject(undefined, READING)).toMatchObject({ ok: false, error: { kind: "malformed" } });
  });

  it("takes a sub of 512 characters", () => {
    expect(readSubject(issSub("a".repeat(512)), READING).ok).toBe(true);
  });
});
