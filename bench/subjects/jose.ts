import { importJWK, type JWK, jwtVerify } from "jose";

type Bindings = { ORIGIN: string; JWK: JWK; ISSUER: string; AUDIENCE: string };

let key: Awaited<ReturnType<typeof importJWK>> | undefined;

/** A signature check for each request, and no revocation. */
export default {
  async fetch(request: Request, env: Bindings): Promise<Response> {
    key ??= await importJWK(env.JWK, "ES256");
    const token = request.headers.get("authorization")?.replace(/^Bearer /, "") ?? "";
    try {
      await jwtVerify(token, key, { issuer: env.ISSUER, audience: env.AUDIENCE });
    } catch {
      return new Response(null, { status: 401 });
    }
    const { pathname, search } = new URL(request.url);
    return fetch(env.ORIGIN + pathname + search, request);
  },
};
