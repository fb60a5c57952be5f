import { expect, it } from "vitest";
import { isSameOrigin } from "../../../src/protocol/same-origin.ts";

const OWN = "https://app.example.com";

it.each<[string | null, string | null, boolean]>([
  ["same-origin", OWN, true],
  ["same-origin", null, true],
  [null, OWN, true],
  ["cross-site", OWN, false],
  ["cross-site", null, false],
  ["same-site", "https://other.example.com", false],
  ["same-site", OWN, false],
  ["none", null, false],
  ["none", OWN, false],
  ["same-origin", "https://evil.example", false],
  ["same-origin", "null", true],
  [null, "null", false],
  [null, "https://evil.example", false],
  [null, "http://app.example.com", false],
  [null, "https://app.example.com:8443", false],
  ["Same-Origin", null, false],
  ["same-origin, cross-site", null, false],
  [null, null, false],
])("Sec-Fetch-Site %s with Origin %s: %s", (site, origin, expected) => {
  const headers = new Headers();
  if (site !== null) headers.set("sec-fetch-site", site);
  if (origin !== null) headers.set("origin", origin);
  expect(isSameOrigin({ url: `${OWN}/path`, headers })).toBe(expected);
});
