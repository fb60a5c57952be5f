/**
 * Whether a browser says that a page of this very origin made the request: what it adds by itself and lets no page
 * choose (Fetch Metadata, RFC 6454 §7). Where neither is there, nothing is known, and that is not enough; where
 * they disagree, somebody between changed one. A page without a referrer has the origin `null` in its forms, which
 * says nothing, so that `Sec-Fetch-Site` must.
 */
export function isSameOrigin({ url, headers }: { url: string; headers: Pick<Headers, "get"> }): boolean {
  const site = headers.get("sec-fetch-site");
  const origin = headers.get("origin");
  if (site !== null && site !== "same-origin") return false;
  if (origin === null || origin === "null") return site !== null;
  return origin === new URL(url).origin;
}
