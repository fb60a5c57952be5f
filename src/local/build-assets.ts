import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { buildSync } from "esbuild";

const CONSOLE = new URL("../console/", import.meta.url).pathname;
export const BUILT_ASSETS = `${CONSOLE}built-assets.ts`;

/** What the console's pages load, and what each is made from. */
const SOURCES = [
  { name: "console.css", source: "style.css", type: "text/css; charset=utf-8" },
  { name: "console.js", source: "islands/main.ts", type: "text/javascript; charset=utf-8" },
  { name: "icon.svg", source: "icon.svg", type: "image/svg+xml" },
];

/** The module that holds the assets, as they are served. The same sources give the same text. */
export function builtAssets(): string {
  const entries = SOURCES.map(({ name, source, type }) => {
    const text = built(`${CONSOLE}${source}`);
    const hash = createHash("sha256").update(text).digest("hex").slice(0, 16);
    const file = name.replace(".", `.${hash}.`);
    return `  ${JSON.stringify(name)}: {\n    file: ${JSON.stringify(file)},\n    type: ${JSON.stringify(type)},\n    text: ${JSON.stringify(text)},\n  },\n`;
  });
  return `// Made by \`npm run assets\` from style.css, islands/ and icon.svg. Do not edit.
export const ASSETS = {
${entries.join("")}} as const;

export type AssetName = keyof typeof ASSETS;
`;
}

function built(path: string): string {
  if (path.endsWith(".svg")) return readFileSync(path, "utf8").trim();
  const { outputFiles } = buildSync({
    entryPoints: [path],
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    write: false,
    legalComments: "none",
    logLevel: "warning",
  });
  return outputFiles[0]!.text.trim();
}

if (import.meta.main) writeFileSync(BUILT_ASSETS, builtAssets());
