/** 303: whatever the request was, the next one is a GET (RFC 9110 §15.4.4, RFC 9700 §4.12). */
export function redirect(url: string, cookies: string[] = []): Response {
  const headers = new Headers({
    location: url,
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
  });
  for (const cookie of cookies) headers.append("set-cookie", cookie);
  return new Response(null, { status: 303, headers });
}
