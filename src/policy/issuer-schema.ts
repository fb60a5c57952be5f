import * as z from "zod";
import { SHARED_SECRET_ALGORITHM } from "../protocol/signature-algorithm.ts";
import { httpUrl, name } from "./names.ts";
import { cloudflareAccessSchema, signInSchema } from "./sign-in-schema.ts";

/** Algorithms with a public key. */
export const ASYMMETRIC_ALGORITHMS = [
  ...(["ES256", "ES384", "EdDSA"] as const),
  ...(["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"] as const),
] as const;
/** Algorithms that a trusted issuer may use. */
const ALGORITHMS = [...ASYMMETRIC_ALGORITHMS, SHARED_SECRET_ALGORITHM] as const;

/** The document can be read by everyone with `policy:read`: RFC 7518 §6 members of private keys are refused. */
const PRIVATE_JWK_MEMBERS = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
const publicJwk = z
  .looseObject({ kty: z.enum(["EC", "RSA", "OKP"]), kid: z.string().max(256).optional() })
  .refine((key) => !PRIVATE_JWK_MEMBERS.some((member) => member in key), {
    message: "holds private members: give the public key only, and replace this one, it is now exposed",
  });

/** A JWK set (RFC 7517 §5) of public keys. */
export const publicJwks = z.strictObject({ keys: z.array(publicJwk).min(1).max(32) });

export const issuerSchema = z
  .strictObject({
    id: name.describe("Short name; people of this issuer become subjects `<id>|<sub>`."),
    issuer: httpUrl.describe("Exact `iss` of its tokens."),
    jwks_uri: httpUrl.optional().describe("Where its public keys are. Give this or `jwks`."),
    jwks: publicJwks.optional(),
    secret_ref: z
      .string()
      .regex(/^ISSUER_SECRET_[A-Z0-9_]{1,64}$/, "must be ISSUER_SECRET_ and capital letters, digits or _")
      .optional()
      .describe(
        "Name of the deployment's secret that it signs with, for HS256 only; never the secret itself.",
      ),
    algorithms: z.array(z.enum(ALGORITHMS)).min(1),
    audience: z.string().min(1).max(512).describe("Its tokens must name this audience (RFC 7519 §4.1.3)."),
    token_types: z
      .array(z.string().min(1).max(64))
      .min(1)
      .default(["at+jwt"])
      .describe("Accepted `typ` headers, compared without case and without `application/`."),
    claims: z
      .strictObject({
        roles: name.optional().describe("Claim that lists roles (array, or a string separated by spaces)."),
        scopes: name.optional().describe("Claim that lists scopes; usually `scope`."),
      })
      .default({}),
    sign_in: signInSchema
      .exactOptional()
      .describe("People sign in with a browser here (OpenID Connect). Absent: they do not."),
    cloudflare_access: cloudflareAccessSchema
      .exactOptional()
      .describe("People whom Cloudflare Access lets through are signed in by its JWT. Absent: they are not."),
  })
  .refine((i) => i.sign_in === undefined || i.cloudflare_access === undefined, {
    path: ["cloudflare_access"],
    message: "is for another issuer than sign_in: the team's tokens have an issuer of their own",
  })
  .refine(
    (i) => [i.jwks_uri, i.jwks, i.secret_ref].filter((each) => each !== undefined).length === 1,
    "give exactly one of jwks_uri, jwks and secret_ref",
  )
  .refine((i) => isSymmetric(i.algorithms) === (i.secret_ref !== undefined), {
    path: ["algorithms"],
    message:
      'must be ["HS256"] with secret_ref, and without HS256 else: a public key must never serve as a secret',
  });

/** HS256 and nothing else; HS256 beside others is neither the one nor the other, and refused with either. */
function isSymmetric(algorithms: readonly string[]): boolean | undefined {
  if (!algorithms.includes(SHARED_SECRET_ALGORITHM)) return false;
  return algorithms.every((alg) => alg === SHARED_SECRET_ALGORITHM) ? true : undefined;
}
