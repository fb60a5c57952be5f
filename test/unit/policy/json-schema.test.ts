import { describe, expect, it } from "vitest";
import { policyJsonSchema } from "../../../src/policy/json-schema.ts";

const ID = "https://auth.example.com/v1/policy/schema";

describe("policyJsonSchema", () => {
  it("describes the document as people write it", () => {
    const schema = policyJsonSchema(ID);
    expect(schema).toMatchObject({
      $schema: "https://json-schema.org/draft/2020-12/schema",
      $id: ID,
      type: "object",
      additionalProperties: false,
      properties: {
        routes: {
          type: "array",
          items: {
            required: ["id", "path", "origin", "access"],
            additionalProperties: false,
            properties: { methods: { type: "array" }, on_stale: { default: "deny" } },
          },
        },
        access_rules: { items: { properties: { default_duration_seconds: { type: "integer" } } } },
      },
    });
    expect(schema).not.toHaveProperty("required");
    expect(JSON.parse(JSON.stringify(schema))).toEqual(schema);
  });

  it("carries patterns that any editor's engine understands", () => {
    const patterns = [...JSON.stringify(policyJsonSchema(ID)).matchAll(/"pattern":("(?:[^"\\]|\\.)*")/g)];
    expect(patterns.length).toBeGreaterThan(5);
    for (const [, text] of patterns) expect(() => new RegExp(JSON.parse(text!), "u")).not.toThrow();
  });
});
