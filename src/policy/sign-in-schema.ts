import * as z from "zod";
import { scopeToken } from "./names.ts";

const sessionScopes = z
  .array(scopeToken)
  .max(256)
  .default([])
  .describe("The most that a browser's session can have, whatever its person may do elsewhere.");

/** Cloudflare Access in front of this deployment: the issuer is the team, `audience` the application's AUD tag. */
export const cloudflareAccessSchema = z.strictObject({ session_scopes: sessionScopes });

/** What this deployment is to an OpenID provider: one of its clients (RFC 6749 §2). */
export const signInSchema = z.strictObject({
  client_id: z.string().min(1).max(255).describe("This deployment's client at the provider."),
  client_secret_ref: z
    .string()
    .regex(/^SIGN_IN_SECRET_[A-Z0-9_]{1,64}$/, "must be SIGN_IN_SECRET_ and capital letters, digits or _")
    .exactOptional()
    .describe("Name of the deployment's secret with the client's secret. Absent: a public client."),
  client_auth: z.enum(["client_secret_basic", "client_secret_post"]).default("client_secret_basic"),
  scopes: z
    .array(scopeToken)
    .max(32)
    .default(["openid"])
    .refine((scopes) => scopes.includes("openid"), "must include openid")
    .describe("Asked of the provider."),
  session_scopes: sessionScopes,
});
