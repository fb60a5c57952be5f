import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { findCycle, forbiddenArrows, type SourceFile } from "../../support/layers.ts";

const root = new URL("../../../", import.meta.url).pathname;
const files: SourceFile[] = readdirSync(`${root}src`, { recursive: true, encoding: "utf8" })
  .filter((path) => /\.tsx?$/.test(path) && !path.endsWith(".d.ts"))
  .map((path) => ({ path: `src/${path}`, text: readFileSync(`${root}src/${path}`, "utf8") }));

describe("the house", () => {
  it("has arrows that only run down", () => expect(forbiddenArrows(files)).toEqual([]));

  it("has no cycle", () => expect(findCycle(files)).toBeUndefined());

  it("has no file over 300 lines", () => {
    const long = files
      .filter(({ path, text }) => path !== "src/client/contract.ts" && text.split("\n").length > 301)
      .map(({ path }) => path);
    expect(long).toEqual([]);
  });

  it("keeps its pure files pure", () => {
    const shell =
      /-(object|store)\.ts$|routes\.ts$|^src\/(worker|config)\.ts$|^src\/(local|client|cli|control|console|platform|edge|library)\//;
    const impure = files
      .filter(({ path }) => !shell.test(path))
      // hono/html is a template that escapes, and nothing else.
      .filter(({ text }) => /Date\.now\(|Math\.random\(|from "cloudflare:|from "hono(?!\/html")/.test(text))
      .map(({ path }) => path);
    expect(impure).toEqual([]);
  });

  it("uses TypeScript's private nowhere in a Durable Object: such a method is callable over RPC", () => {
    const open = files.filter(
      ({ path, text }) => path.endsWith("-object.ts") && /^\s*(private|protected) /m.test(text),
    );
    expect(open.map(({ path }) => path)).toEqual([]);
  });
});

describe("the check itself", () => {
  const file = (path: string, ...targets: string[]): SourceFile => ({
    path,
    text: targets.map((target) => `import { x } from "${target}";`).join("\n"),
  });

  it("lets an arrow run down and refuses one that runs up or sideways", () => {
    expect(forbiddenArrows([file("src/edge/gate.ts", "../policy/route-table.ts")])).toEqual([]);
    expect(forbiddenArrows([file("src/policy/route-table.ts", "../edge/gate.ts")])).toHaveLength(1);
    expect(forbiddenArrows([file("src/tokens/verify.ts", "../access/decide.ts")])).toHaveLength(1);
    expect(forbiddenArrows([file("src/unknown/x.ts", "../protocol/result.ts")])).toHaveLength(1);
  });

  it("sees type-only, multi-line and dynamic imports and re-exports", () => {
    const texts = [
      'import type { A } from "../edge/gate.ts";',
      'import {\n  a,\n  b,\n} from "../edge/gate.ts";',
      'const gate = await import("../edge/gate.ts");',
      'export { a } from "../edge/gate.ts";',
      'import "../edge/gate.ts";',
    ];
    for (const text of texts) expect(forbiddenArrows([{ path: "src/policy/x.ts", text }])).toHaveLength(1);
  });

  it("finds a cycle and passes a diamond", () => {
    const diamond = [
      file("src/a/1.ts", "./2.ts", "./3.ts"),
      file("src/a/2.ts", "./4.ts"),
      file("src/a/3.ts", "./4.ts"),
      file("src/a/4.ts"),
    ];
    expect(findCycle(diamond)).toBeUndefined();
    expect(findCycle([...diamond.slice(0, 3), file("src/a/4.ts", "./1.ts")])).toEqual([
      "src/a/1.ts",
      "src/a/2.ts",
      "src/a/4.ts",
      "src/a/1.ts",
    ]);
  });
});
