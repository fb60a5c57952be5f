import type { Context } from "hono";
import { bodyLimit } from "hono/body-limit";
import { type HttpEnv, refuse } from "../platform/http.ts";
import {
  type OAuthError,
  oauthError,
  oauthErrorResponse,
  TOKEN_RESPONSE_HEADERS,
} from "../protocol/oauth-error.ts";
import { problem } from "../protocol/problem.ts";
import type { Result } from "../protocol/result.ts";
import type { OAuthCall } from "./client-auth.ts";
import { MAX_FORM_BYTES, readForm } from "./oauth-form.ts";

export const formLimit = bodyLimit({
  maxSize: MAX_FORM_BYTES,
  onError: () => oauthErrorResponse(oauthError("invalid_request", "The form is over 32 KiB.")),
});

/** One OAuth endpoint: reads the form and says from where it came; every answer is kept by nobody. */
export async function answerForm(
  c: Context<HttpEnv>,
  issuer: string,
  work: (call: OAuthCall) => Promise<Result<object | null, OAuthError>>,
  deniedStatus?: 400 | 403,
): Promise<Response> {
  const form = readForm(c.req.header("content-type"), await c.req.text());
  if (!form.ok) return oauthErrorResponse(form.error);
  const result = await work({
    form: form.value,
    authorization: c.req.header("authorization") ?? null,
    // Set by Cloudflare, whatever the client sends.
    address: c.req.header("cf-connecting-ip") ?? "",
    endpoint: `${issuer}${c.req.path}`,
  });
  if (!result.ok) return oauthErrorResponse(result.error, deniedStatus);
  const headers = TOKEN_RESPONSE_HEADERS;
  if (result.value === null) return new Response(null, { status: 200, headers });
  return Response.json(result.value, { status: 200, headers });
}

/** RFC 6749 §3.2. */
export function postOnly(c: Context<HttpEnv>): Response {
  const refused = refuse(c, problem("method_not_allowed", "Use POST."));
  refused.headers.set("allow", "POST");
  return refused;
}
