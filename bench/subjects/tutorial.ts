import { importJWK, type JWK, jwtVerify } from "jose";

type Bindings = { ORIGIN: string; JWK: JWK; ISSUER: string; AUDIENCE: string; KV: KVNamespace };

let key: Awaited<ReturnType<typeof importJWK>> | undefined;

/** What a tutorial gives: jose, a scope check, and one KV read for each request to see whether it was revoked. */
export default {
  async fetch(request: Request, env: Bindings): Promise<Response> {
    key ??= await importJWK(env.JWK, "ES256");
    const token = request.headers.get("authorization")?.replace(/^Bearer /, "") ?? "";
    try {
      const { payload } = await jwtVerify(token, key, { issuer: env.ISSUER, audience: env.AUDIENCE });
      if (!String(payload.scope).split(" ").includes("orders:read"))
        return new Response(null, { status: 403 });
      if (await env.KV.get(`revoked:${payload.jti}`)) return new Response(null, { status: 401 });
    } catch {
      return new Response(null, { status: 401 });
    }
    const { pathname, search } = new URL(request.url);
    return fetch(env.ORIGIN + pathname + search, request);
  },
};
