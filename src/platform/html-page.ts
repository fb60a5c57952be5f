import { html, raw } from "hono/html";
import { withUnseenShown } from "./visible-text.ts";

export type Markup = ReturnType<typeof html>;

type PageHeaderOptions = {
  /** Origins beside our own that a form of the page may lead to. */
  formTo?: readonly string[];
  /** With `no-referrer`, a form of the page has the origin `null`. */
  referrer: "no-referrer" | "same-origin";
};

/** A whole document; its one style is let through by the nonce. */
export async function htmlPage(
  title: string,
  body: Markup,
  { style, nonce }: { style: string; nonce: string },
) {
  const page = await html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>${title}</title>
    <style nonce="${nonce}">${style}</style>
  </head>
  <body>${body}</body>
</html>`;
  return raw(withUnseenShown(String(page)));
}

/** Headers of every page: no script runs, nothing is framed, cached or indexed, and no address is told on. */
export function pageHeaders(nonce: string, { formTo = [], referrer }: PageHeaderOptions) {
  const forms = ["'self'", ...formTo].join(" ");
  return {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": `default-src 'none'; style-src 'nonce-${nonce}'; form-action ${forms}; base-uri 'none'; frame-ancestors 'none'`,
    "cache-control": "no-store",
    "referrer-policy": referrer,
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex, nofollow",
  };
}
