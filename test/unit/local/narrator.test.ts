import { stripVTControlCharacters } from "node:util";
import { describe, expect, it } from "vitest";
import { Narrator, piecesOf } from "../../../src/local/narrator.ts";

const TOKEN = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl";

describe("piecesOf", () => {
  it("never shows a token or a webhook secret whole, wherever it stands", () => {
    const body = {
      access_token: TOKEN,
      deep: { list: [`Bearer ${TOKEN}`], more: "x".repeat(40) },
      secret: "whsec_c2VjcmV0+/c2Vj",
    };
    expect(piecesOf(body)).toEqual([
      '{ "access_token": "eyJhbGci…",',
      '"deep": { "list": [ "Bearer eyJhbGci…" ],',
      `"more": "${"x".repeat(40)}" },`,
      '"secret": "whsec_…" }',
    ]);
    expect(piecesOf(`Bearer ${TOKEN}`)).toEqual(["Bearer", "eyJhbGci…"]);
  });

  it("shows other values as they are, and no member without a value", () => {
    const body = { id: "req_01", none: undefined, long: "y".repeat(60), list: [1, 2], empty: {} };
    const text = `{ "id": "req_01", "long": "${"y".repeat(60)}", "list": [ 1, 2 ], "empty": {} }`;
    expect(piecesOf(body).join(" ")).toBe(text);
  });
});

describe("Narrator", () => {
  it("numbers the steps and keeps lines within 80 columns", () => {
    const lines: string[] = [];
    const tell = new Narrator((line) => lines.push(line));
    tell.step("One");
    tell.sent(
      "POST /v1/access-requests",
      Object.fromEntries("abcdefghij".split("").map((name) => [name, "word word"])),
    );
    tell.got(201, { id: "x" });
    tell.note("word ".repeat(40).trim());
    tell.step("Two");
    const text = stripVTControlCharacters(lines.join("\n"));
    expect(text).toContain("1  One");
    expect(text).toContain("2  Two");
    expect(text).toContain('201 Created { "id": "x" }');
    expect(tell.steps).toBe(2);
    expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  });
});
