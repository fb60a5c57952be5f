import { describe, expect, it } from "vitest";
import { checkRoom, patched, withSealedSecret } from "../../../src/registry/endpoint.ts";
import {
  type EndpointRecord,
  MAX_DECISION_ENDPOINTS,
  MAX_ENDPOINTS,
} from "../../../src/webhooks/endpoint.ts";

const endpoint = (over: Partial<EndpointRecord> = {}): EndpointRecord => ({
  id: "whe_1",
  url: "https://hooks.example.com/in",
  events: ["*"],
  description: "chat",
  reviews_as: { roles: ["approver"] },
  secrets_sealed: ["s1"],
  enabled: true,
  created_at: 1,
  revision: 1,
  ...over,
});
const { reviews_as: _none, ...silent } = endpoint();
const many = (count: number, each: EndpointRecord) =>
  Array.from({ length: count }, (_, i) => ({ ...each, id: `whe_other${i}` }));

describe("patched", () => {
  it("changes what is named, removes what is null, and is one revision on", () => {
    expect(patched(endpoint(), { enabled: false, description: null })).toEqual({
      ...silent,
      description: undefined,
      reviews_as: { roles: ["approver"] },
      enabled: false,
      revision: 2,
    });
    expect(patched(endpoint(), { description: null })).not.toHaveProperty("description");
    expect(patched(endpoint(), { reviews_as: null })).toEqual({ ...silent, revision: 2 });
    expect(patched(endpoint(), { description: "", url: "https://b.test" })).toEqual(
      endpoint({ description: "", url: "https://b.test", revision: 2 }),
    );
  });
});

describe("withSealedSecret", () => {
  it("keeps the secret before, and takes a repeated one once", () => {
    const once = withSealedSecret(endpoint(), "s2");
    expect(once).toEqual(endpoint({ secrets_sealed: ["s2", "s1"], revision: 2 }));
    expect(withSealedSecret(once, "s3").secrets_sealed).toEqual(["s3", "s2"]);
    expect(withSealedSecret(once, "s2")).toBe(once);
  });
});

describe("checkRoom", () => {
  it("takes the last place and refuses one more", () => {
    expect(checkRoom(silent, many(MAX_ENDPOINTS - 1, silent))).toMatchObject({ ok: true });
    expect(checkRoom(silent, many(MAX_ENDPOINTS, silent))).toMatchObject({ error: { code: "conflict" } });
    expect(checkRoom(silent, [...many(MAX_ENDPOINTS - 1, silent), silent])).toMatchObject({ ok: true });
  });

  it("counts those whose decisions are accepted apart", () => {
    const deciding = many(MAX_DECISION_ENDPOINTS, endpoint());
    expect(checkRoom(endpoint(), deciding.slice(1))).toMatchObject({ ok: true });
    expect(checkRoom(endpoint(), deciding)).toMatchObject({ error: { code: "conflict" } });
    expect(checkRoom(silent, deciding)).toMatchObject({ ok: true });
  });
});
