import * as z from "zod";
import { err, ok, type Result } from "./protocol/result.ts";

/** What the deployment is told from outside: one variable and the secrets. */
export type Config = {
  /** The issuer's origin, without a trailing slash: `iss` of our tokens and base of every URL of ours. */
  issuer: string;
  /** Roots of the keys that wrap what is stored (HKDF): the one in use, and the one before it while it is changed. */
  wrapping: { PORTCULLIS_SECRET: string; PORTCULLIS_SECRET_PREVIOUS?: string };
  /** Secret of the bootstrap client `operator`. */
  operatorSecret: string;
  /** The issuer is plain http on a loopback host: only then may origins, keys and webhooks be so too. */
  local: boolean;
  /** Secrets that issuers sign with (HS256), by their name `ISSUER_SECRET_…`. */
  issuerSecrets: ReadonlyMap<string, string>;
  /** Secrets of our clients at OpenID providers, by their name `SIGN_IN_SECRET_…`. */
  signInSecrets: ReadonlyMap<string, string>;
  /** Service bindings, by their names: Workers that the policy may name as origins. */
  services: ReadonlyMap<string, Fetcher>;
  /** What proxies that ask for decisions show, the one in use first; none where forward auth is off. */
  proxySecrets: readonly string[];
  /** Rate limiters of the platform, by the name that the policy uses: `burst_10s` for `LIMITER_BURST_10S`. */
  limiters: Map<string, { binding: RateLimit; periodSeconds: number }>;
};

const LOOPBACK = /^http:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?$/;
const HTTPS_ORIGIN = /^https:\/\/[a-z0-9.-]+(?::\d+)?$/;
const MIN_SECRET_CHARS = 32;
const ISSUER_SECRET_PREFIX = "ISSUER_SECRET_";
const SIGN_IN_SECRET_PREFIX = "SIGN_IN_SECRET_";
const MIN_DISTINCT_CHARS = 12;

/** A secret that was generated, not typed or copied from an example. */
const secret = z
  .string("is not set")
  .min(1, "is not set")
  .min(MIN_SECRET_CHARS, `must have at least ${MIN_SECRET_CHARS} characters`)
  .refine(
    (text) => new Set(text).size >= MIN_DISTINCT_CHARS,
    "is a sample value or a pattern, not a random secret",
  )
  .refine((text) => !/change.?me|example|placeholder|your[-_ ]/i.test(text), "is a sample value");

const environment = z
  .looseObject({
    ISSUER: z
      .string("is not set")
      .min(1, "is not set")
      .refine(
        (text) => LOOPBACK.test(text) || HTTPS_ORIGIN.test(text),
        "must be an https origin in lower case without a path, e.g. https://auth.example.com",
      ),
    PORTCULLIS_SECRET: secret,
    // A secret that is set to nothing is not there.
    PORTCULLIS_SECRET_PREVIOUS: z.literal("").or(secret).optional(),
    PORTCULLIS_OPERATOR_SECRET: secret,
    PORTCULLIS_FORWARD_AUTH_SECRET: z.literal("").or(secret).optional(),
    PORTCULLIS_FORWARD_AUTH_SECRET_PREVIOUS: z.literal("").or(secret).optional(),
  })
  .refine((e) => e.PORTCULLIS_SECRET !== e.PORTCULLIS_OPERATOR_SECRET, {
    path: ["PORTCULLIS_OPERATOR_SECRET"],
    message: "must differ from PORTCULLIS_SECRET",
  })
  .refine((e) => e.PORTCULLIS_SECRET !== e.PORTCULLIS_SECRET_PREVIOUS, {
    path: ["PORTCULLIS_SECRET_PREVIOUS"],
    message: "must be the secret before PORTCULLIS_SECRET; leave it out where there is none",
  })
  // It stands in the proxies' configurations, where neither of the others has a place.
  .refine(
    ({ PORTCULLIS_FORWARD_AUTH_SECRET: shown, ...e }) =>
      !shown || (shown !== e.PORTCULLIS_SECRET && shown !== e.PORTCULLIS_OPERATOR_SECRET),
    {
      path: ["PORTCULLIS_FORWARD_AUTH_SECRET"],
      message: "must differ from PORTCULLIS_SECRET and PORTCULLIS_OPERATOR_SECRET",
    },
  );

const BINDINGS = [
  "KV",
  "LOG",
  "REGISTRY",
  "KEYRING",
  "ACCESS_REQUEST",
  "DIRECTORY",
  "ENDPOINT",
  "DENYLIST",
  "MONITOR",
  "AUDIT",
  "RATE_LIMIT",
  "PROOF",
  "SESSION",
];

const LIMITER = /^LIMITER_([A-Z][A-Z0-9_]{0,31}_(10|60)S)$/;

/** Reads the environment, or says for each fault what is wrong; a fault's text never holds the value. */
export function readConfig(env: Record<string, unknown>): Result<Config, string[]> {
  const faults = BINDINGS.filter((name) => !env[name]).map((name) => `${name}: the binding is missing`);
  const parsed = environment.safeParse(env);
  if (!parsed.success) faults.push(...parsed.error.issues.map((i) => `${i.path.join(".")}: ${i.message}`));
  const issuerSecrets = new Map<string, string>();
  const signInSecrets = new Map<string, string>();
  for (const [name, value] of Object.entries(env)) {
    if (name.startsWith(SIGN_IN_SECRET_PREFIX)) {
      // Made by the provider, at whatever length it likes.
      if (typeof value === "string" && value !== "") signInSecrets.set(name, value);
      else faults.push(`${name}: is not set`);
    }
    if (!name.startsWith(ISSUER_SECRET_PREFIX)) continue;
    // RFC 7518 §3.2: a key of HS256 has 256 bits at least.
    if (typeof value === "string" && new TextEncoder().encode(value).length >= MIN_SECRET_CHARS) {
      issuerSecrets.set(name, value);
    } else {
      faults.push(`${name}: must have at least ${MIN_SECRET_CHARS} bytes (HS256)`);
    }
  }
  const limiters: Config["limiters"] = new Map();
  for (const [name, binding] of Object.entries(env)) {
    if (!name.startsWith("LIMITER_")) continue;
    const [, known, period] = LIMITER.exec(name) ?? [];
    if (known !== undefined) {
      limiters.set(known.toLowerCase(), { binding: binding as RateLimit, periodSeconds: Number(period) });
    } else {
      faults.push(`${name}: the name must end in the limiter's period, _10S or _60S`);
    }
  }
  if (faults.length > 0 || !parsed.success) return err(faults);
  const { ISSUER, PORTCULLIS_SECRET, PORTCULLIS_SECRET_PREVIOUS, PORTCULLIS_OPERATOR_SECRET } = parsed.data;
  const { PORTCULLIS_FORWARD_AUTH_SECRET, PORTCULLIS_FORWARD_AUTH_SECRET_PREVIOUS } = parsed.data;
  return ok({
    issuer: ISSUER,
    wrapping: {
      PORTCULLIS_SECRET,
      ...(PORTCULLIS_SECRET_PREVIOUS ? { PORTCULLIS_SECRET_PREVIOUS } : {}),
    },
    operatorSecret: PORTCULLIS_OPERATOR_SECRET,
    local: LOOPBACK.test(ISSUER),
    issuerSecrets,
    signInSecrets,
    services: new Map(Object.entries(env).filter(isService)),
    proxySecrets: PORTCULLIS_FORWARD_AUTH_SECRET
      ? [PORTCULLIS_FORWARD_AUTH_SECRET, PORTCULLIS_FORWARD_AUTH_SECRET_PREVIOUS || []].flat()
      : [],
    limiters,
  });
}

/** By its kind: a service binding seems to have every member that it is asked for, as each may be an RPC method. */
function isService(binding: [string, unknown]): binding is [string, Fetcher] {
  return Object.prototype.toString.call(binding[1]) === "[object Fetcher]";
}
