import { expect, it } from "vitest";
import { newId } from "../../../src/platform/ids.ts";
import { SecretBox } from "../../../src/platform/secret-box.ts";
import {
  newCredential,
  SESSION_CREDENTIAL_PURPOSE,
  sessionOf,
} from "../../../src/tokens/session-credential.ts";
import { SECRET } from "../../support/runtime.ts";

const box = new SecretBox({ PORTCULLIS_SECRET: SECRET }, SESSION_CREDENTIAL_PURPOSE);
const id = newId("ses", 1_700_000_000_000);

it("a refresh token names its session to us and tells nobody else", async () => {
  const token = await newCredential(box, "refresh_token", id);
  expect(token).toMatch(/^prt_[\w.-]{100,200}$/);
  expect(await sessionOf(box, "refresh_token", token)).toBe(id);
  expect(token).not.toContain(id.slice(4, 14));
  expect(await newCredential(box, "refresh_token", id)).not.toBe(token);
});

it("what was not made here, for this use and under this secret, names none", async () => {
  const token = await newCredential(box, "refresh_token", id);
  const others = [
    new SecretBox({ PORTCULLIS_SECRET: SECRET }, "session-answer"),
    new SecretBox({ PORTCULLIS_SECRET: `${SECRET}x` }, SESSION_CREDENTIAL_PURPOSE),
  ];
  for (const other of others) expect(await sessionOf(other, "refresh_token", token)).toBeUndefined();
  const sealed = token.slice("prt_".length);
  const text = await box.seal(new TextEncoder().encode("not a session"), "refresh_token");
  const junk = [
    "",
    "prt_",
    "prt_v1.a.b",
    sealed,
    `pcs_${sealed}`,
    `${token}A`,
    token.toUpperCase(),
    `prt_${text}`,
  ];
  for (const each of [...junk, `prt_${"A".repeat(10_000)}`]) {
    expect(await sessionOf(box, "refresh_token", each)).toBeUndefined();
  }
});
