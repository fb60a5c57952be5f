import * as z from "zod";
import { httpUrl, name } from "./names.ts";

/** Signature algorithms that a trusted issuer may use. Symmetric ones are not among them. */
const ALGORITHMS = ["ES256", "ES384", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA"] as const;

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
  })
  .refine(
    (i) => (i.jwks_uri === undefined) !== (i.jwks === undefined),
    "give exactly one of jwks_uri and jwks",
  );
