/**
 * Whether a browser says that a page of this very origin made the request: what it adds by itself and lets no page
 * choose (Fetch Metadata, RFC 6454 §7). Where neither is there, nothing is known, and that is not enough; where
 * they disagree, somebody between changed one.
 */
export function isSameOrigin({ url, headers }: { url: string; headers: Pick<Headers, "get"> }): boolean {
  const site = headers.get("sec-fetch-site");
  const origin = headers.get("origin");
  if (site === null && origin === null) return false;
  if (site !== null && site !== "same-origin") return false;
  return origin === null || origin === new URL(url).origin;
}
