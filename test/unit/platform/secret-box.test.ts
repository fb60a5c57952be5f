import { describe, expect, it } from "vitest";
import { SecretBox } from "../../../src/platform/secret-box.ts";
import { utf8 } from "../../../src/protocol/encoding.ts";

const ROOT = { PORTCULLIS_SECRET: "dGVzdC1zZWNyZXQtb25seS1mb3ItdGhlLXRlc3RzLTAx" };
const OTHER = { PORTCULLIS_SECRET: "YW5vdGhlci1zZWNyZXQtb25seS1mb3ItdGhlLXRlc3Rz" };
const box = new SecretBox(ROOT, "keys");
const plain = utf8("the plain bytes");

describe("SecretBox", () => {
  it.each([0, 1, 32, 5000])("opens what it sealed, %i bytes", async (length) => {
    const bytes = new Uint8Array(length).fill(7);
    const sealed = await box.seal(bytes, "record-1");
    expect(sealed).toMatch(/^v1\.[A-Za-z0-9_-]{16}\.[A-Za-z0-9_-]+$/);
    expect(await box.open(sealed, "record-1")).toEqual(bytes);
  });

  it("opens in another instance with the same secret and purpose: nothing hangs on memory", async () => {
    const sealed = await box.seal(plain, "record-1");
    expect(await new SecretBox(ROOT, "keys").open(sealed, "record-1")).toEqual(plain);
  });

  it("never gives the same string twice and never shows the plain text", async () => {
    const [a, b] = await Promise.all([box.seal(plain, "r"), box.seal(plain, "r")]);
    expect(a).not.toBe(b);
    expect(a.split(".")[1]).not.toBe(b.split(".")[1]);
    expect(atob(a.split(".")[2]!.replaceAll("-", "+").replaceAll("_", "/"))).not.toContain("plain");
  });

  it("refuses another context, purpose or secret", async () => {
    const sealed = await box.seal(plain, "record-1");
    expect(await box.open(sealed, "record-2")).toBeUndefined();
    expect(await new SecretBox(ROOT, "webhooks").open(sealed, "record-1")).toBeUndefined();
    expect(await new SecretBox(OTHER, "keys").open(sealed, "record-1")).toBeUndefined();
  });

  it("refuses a change of any single character", async () => {
    const sealed = await box.seal(plain, "record-1");
    for (let i = 0; i < sealed.length; i++) {
      const changed = sealed.slice(0, i) + (sealed[i] === "A" ? "B" : "A") + sealed.slice(i + 1);
      expect(await box.open(changed, "record-1"), changed).toBeUndefined();
    }
  });

  it.each(["", "v1", "v1..", "v1.AAAA.AAAA", "v2.AAAAAAAAAAAAAAAA.AAAA", "v1.a.b.c", "not sealed"])(
    "refuses malformed text %j without throwing",
    async (text) => expect(await box.open(text, "record-1")).toBeUndefined(),
  );

  it("refuses a shortened and a lengthened value", async () => {
    const sealed = await box.seal(plain, "record-1");
    expect(await box.open(sealed.slice(0, -4), "record-1")).toBeUndefined();
    expect(await box.open(`${sealed}AAAA`, "record-1")).toBeUndefined();
    expect(await box.open(`${sealed}.AAAA`, "record-1")).toBeUndefined();
  });
});

describe("the change of the deployment's secret", () => {
  const changed = { ...OTHER, PORTCULLIS_SECRET_PREVIOUS: ROOT.PORTCULLIS_SECRET };
  const during = new SecretBox(changed, "keys");
  const after = new SecretBox(OTHER, "keys");

  it("opens with either, and seals with the one in use only", async () => {
    const old = await box.seal(plain, "r");
    expect(await during.open(old, "r")).toEqual(plain);
    const anew = await during.seal(plain, "r");
    expect(await after.open(anew, "r")).toEqual(plain);
    expect(await box.open(anew, "r")).toBeUndefined();
    expect(await after.open(old, "r")).toBeUndefined();
  });

  it("wraps anew what the previous one has wrapped, for its record only, and leaves the rest alone", async () => {
    const old = await box.seal(plain, "r");
    const anew = await during.rewrap(old, "r");
    expect(await after.open(anew!, "r")).toEqual(plain);
    expect(await after.open(anew!, "other")).toBeUndefined();
    expect(await during.rewrap(anew!, "r")).toBeUndefined();
    expect(await during.rewrap(old, "other")).toBeUndefined();
    expect(await box.rewrap(old, "r")).toBeUndefined();
  });

  it("takes a previous secret that is set to nothing for none", async () => {
    const empty = new SecretBox({ ...OTHER, PORTCULLIS_SECRET_PREVIOUS: "" }, "keys");
    expect(await empty.open(await box.seal(plain, "r"), "r")).toBeUndefined();
    expect(await empty.open(await after.seal(plain, "r"), "r")).toEqual(plain);
  });
});
