import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { COMPATIBILITY } from "../../support/runtime.ts";

const wrangler = readFileSync(new URL("../../../wrangler.toml", import.meta.url).pathname, "utf8");

it("fetches like a stranger on the Internet, and is tested as it is deployed", () => {
  const { compatibilityDate, compatibilityFlags } = COMPATIBILITY;
  expect(compatibilityFlags).toContain("global_fetch_strictly_public");
  expect(wrangler).toContain(`compatibility_date = "${compatibilityDate}"`);
  expect(wrangler).toContain(
    `compatibility_flags = ${JSON.stringify(compatibilityFlags).replace(",", ", ")}`,
  );
});
