import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type PolicyDocument, policySchema } from "../../../src/policy/document.ts";
import { SCHEMA_FINGERPRINT } from "../../../src/policy/schema-fingerprint.ts";
import { currentDocument, EMPTY_POLICY } from "../../../src/policy/stored-policy.ts";
import { fingerprintText } from "../../../tools/schema-fingerprint.ts";

const STORED = {
  origins: { o: { url: "https://o.example", audience: "o" } },
  routes: [{ id: "r", path: "/r/**", origin: "o", access: { scopes: ["s"] } }],
};
const current = (document: object, schema?: string) =>
  currentDocument({
    version: 1,
    document: document as PolicyDocument,
    ...(schema === undefined ? {} : { schema }),
  });

describe("a document that was stored before the schema was what it is now", () => {
  const today = policySchema.parse(STORED);
  const [route] = today.routes;
  const { credential: _credential, dpop: _dpop, mtls: _mtls, ...older } = route!;
  const { delegation: _delegation, ...before } = { ...today, routes: [older] };

  it.each(["of-another-schema", undefined])(
    "has the defaults of what was added since (%s)",
    async (schema) => {
      expect(await current(before, schema)).toEqual(today);
      expect(await current(today, schema)).toEqual(today);
    },
  );

  it("is taken as it is where it does not fit: another version of this software wrote it", async () => {
    const newer = { ...today, unheard_of: true };
    expect(await current(newer, "of-another-schema")).toEqual(newer);
  });

  it("is not looked at again where this schema wrote it", async () => {
    expect(await current(before, SCHEMA_FINGERPRINT)).toBe(before);
  });
});

describe("the fingerprint of the schema", () => {
  it("is that of its members: `npm run api` after a change", () => {
    const written = new URL("../../../src/policy/schema-fingerprint.ts", import.meta.url).pathname;
    expect(readFileSync(written, "utf8")).toBe(fingerprintText());
  });
});

describe("the empty policy", () => {
  it("is what the schema makes of nothing", () => {
    expect(EMPTY_POLICY.document).toEqual(policySchema.parse({}));
  });
});
