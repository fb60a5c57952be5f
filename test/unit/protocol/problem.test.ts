import { describe, expect, it } from "vitest";
import {
  problem,
  problemCodes,
  problemResponse,
  problemStatus,
  readProblem,
} from "../../../src/protocol/problem.ts";

describe("problemResponse", () => {
  it("is problem+json with every member of the contract", async () => {
    const response = problemResponse(problem("no_route", "Nothing here.", { hint: "x" }), "dec_1", {
      "x-a": "b",
    });
    expect(response.status).toBe(404);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.get("x-a")).toBe("b");
    expect(await response.json()).toEqual({
      type: "urn:portcullis:problem:no_route",
      title: "No route matches",
      status: 404,
      detail: "Nothing here.",
      instance: "urn:portcullis:request:dec_1",
      code: "no_route",
      hint: "x",
    });
  });

  it("cannot have its own members replaced by extra ones", async () => {
    const body = await problemResponse(problem("forbidden", "No.", { status: 200, code: "ok" }), "x").json();
    expect(body).toMatchObject({ status: 403, code: "forbidden" });
  });

  it("asks to retry where the fault is ours to mend, and only there", () => {
    for (const code of problemCodes) {
      const retry = problemResponse(problem(code, "x"), "x").headers.has("retry-after");
      expect(retry).toBe(problemStatus(code) === 503);
    }
  });
});

it("is read back from the wire as it was", async () => {
  const plain = problem("conflict", "Too late.");
  const more = problem("invalid_body", "a: is wrong", { faults: ["a: is wrong", "b: too"], max: 3 });
  for (const p of [plain, more]) expect(readProblem(await problemResponse(p, "dec_1").json())).toEqual(p);
});
