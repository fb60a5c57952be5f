import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { UPKEEP } from "../../support/upkeep.ts";

const root = new URL("../../../", import.meta.url).pathname;
const files = readdirSync(`${root}src`, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts"))
  .map((path) => ({ path: `src/${path}`, text: readFileSync(`${root}src/${path}`, "utf8") }));

/** A commit whose change takes no note. */
const NOTELESS = /\.commit\(\s*\(\)(?:: [^=]+)? =>/g;

describe("every change of authority leaves a record", () => {
  it("and a commit without a note is upkeep, counted in test/support/upkeep.ts with its reason", () => {
    const found = files.flatMap(({ path, text }) => {
      const commits = text.match(NOTELESS)?.length ?? 0;
      return commits ? [[path, commits]] : [];
    });
    const listed = Object.entries(UPKEEP).map(([path, [commits]]) => [path, commits]);
    expect(found.sort()).toEqual(listed.sort());
  });

  it("and a change is given to commit where it stands, so that the count above sees it", () => {
    const elsewhere = files
      .filter(({ path }) => path !== "src/platform/durable.ts")
      .flatMap(({ path, text }) =>
        (text.match(/durable(?:\(\))?\.commit\((?!\s*(?:\(\)|\(note\)))[^\n]*/g) ?? []).map(
          (call) => `${path}: ${call}`,
        ),
      );
    expect(elsewhere).toEqual([]);
  });

  it("and every object can be told who caused a call", () => {
    const deaf = files
      .filter(({ text }) => /extends DurableObject\b/.test(text))
      .map(({ path }) => path)
      .filter((path) => path !== "src/platform/caused-object.ts");
    expect(deaf).toEqual([]);
  });

  it("sees a commit without a note, and passes one with", () => {
    const matches = (text: string) => text.match(NOTELESS)?.length ?? 0;
    expect(matches("this.#durable.commit(() => x);")).toBe(1);
    expect(matches("durable.commit((): Result<Y> => {")).toBe(1);
    expect(matches("durable().commit(\n      () => x")).toBe(1);
    expect(matches("durable.commit((note) => note({}))")).toBe(0);
  });
});
