import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { type PolicyDocument, policySchema } from "../../../src/policy/document.ts";
import { currentDocument, EMPTY_POLICY, SCHEMA_FINGERPRINT } from "../../../src/policy/stored-policy.ts";

/** Members, types and defaults; what people read of them may change as it likes. */
function shapeOf(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(shapeOf);
  if (typeof schema !== "object" || schema === null) return schema;
  const members = Object.entries(schema).filter(
    ([name, value]) => name !== "description" || typeof value !== "string",
  );
  return Object.fromEntries(members.map(([name, value]) => [name, shapeOf(value)]));
}

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
  it("is that of its members: where this fails, write the new one into stored-policy.ts", () => {
    const shape = shapeOf(z.toJSONSchema(policySchema, { io: "input" }));
    expect(createHash("sha256").update(JSON.stringify(shape)).digest("hex").slice(0, 12)).toBe(
      SCHEMA_FINGERPRINT,
    );
  });
});

describe("the empty policy", () => {
  it("is what the schema makes of nothing", () => {
    expect(EMPTY_POLICY.document).toEqual(policySchema.parse({}));
  });
});
