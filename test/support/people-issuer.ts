import { newKey, signToken } from "./token-factory.ts";

const ISSUER = "https://people.example.com";
const AUDIENCE = "urn:gate";

/** A trusted issuer that says of people whatever the test wants; its keys are in the policy. */
export async function peopleIssuer() {
  const key = await newKey("ES256", "key-people");
  let made = 0;
  return {
    issuer: ISSUER,
    /** Its place in the policy: its people are `people|<sub>`. */
    trusted: {
      id: "people",
      issuer: ISSUER,
      jwks: { keys: [key.jwk] },
      algorithms: ["ES256"],
      audience: AUDIENCE,
      claims: { roles: "roles", scopes: "scope" },
    },
    token(sub: string, claims: Record<string, unknown> = {}): Promise<string> {
      const iat = Math.floor(Date.now() / 1000);
      const header = { alg: "ES256", typ: "at+jwt", kid: key.kid };
      const base = { iss: ISSUER, aud: AUDIENCE, sub, jti: `people-${++made}`, iat, exp: iat + 600 };
      return signToken(key, header, { ...base, ...claims });
    },
  };
}
