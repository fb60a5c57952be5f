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
  /** While it is set the deployment does nothing but take a backup in, from whoever shows it. */
  restoreSecret?: string;
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

type Environment = Record<string, unknown>;

/** The secrets that are ours to make; the others of the environment have owners elsewhere. */
const OWN_SECRETS = {
  PORTCULLIS_SECRET: "required",
  PORTCULLIS_SECRET_PREVIOUS: "optional",
  PORTCULLIS_OPERATOR_SECRET: "required",
  PORTCULLIS_FORWARD_AUTH_SECRET: "optional",
  PORTCULLIS_FORWARD_AUTH_SECRET_PREVIOUS: "optional",
  PORTCULLIS_RESTORE_SECRET: "optional",
} as const;

/** A secret must be generated, not typed or copied from an example. */
function secretFault(text: unknown): string | undefined {
  if (typeof text !== "string" || text === "") return "is not set";
  if (text.length < MIN_SECRET_CHARS) return `must have at least ${MIN_SECRET_CHARS} characters`;
  if (/change.?me|example|placeholder|your[-_ ]/i.test(text)) return "is a sample value";
  if (new Set(text).size < MIN_DISTINCT_CHARS) return "is a sample value or a pattern, not a random secret";
  return undefined;
}

function ownSecretFaults(env: Environment): string[] {
  const faults: string[] = [];
  for (const [name, need] of Object.entries(OWN_SECRETS)) {
    // An optional secret that is set to nothing is not there.
    const absent = need === "optional" && (env[name] === undefined || env[name] === "");
    const fault = absent ? undefined : secretFault(env[name]);
    if (fault) faults.push(`${name}: ${fault}`);
  }
  const { PORTCULLIS_SECRET: root, PORTCULLIS_OPERATOR_SECRET: operator } = env;
  if (root && root === operator)
    faults.push("PORTCULLIS_OPERATOR_SECRET: must differ from PORTCULLIS_SECRET");
  if (root && root === env.PORTCULLIS_SECRET_PREVIOUS) {
    faults.push(
      "PORTCULLIS_SECRET_PREVIOUS: must be the secret before PORTCULLIS_SECRET; leave it out where there is none",
    );
  }
  const shown = env.PORTCULLIS_FORWARD_AUTH_SECRET;
  // It stands in the proxies' configurations, where neither of the others has a place.
  if (shown && (shown === root || shown === operator)) {
    faults.push(
      "PORTCULLIS_FORWARD_AUTH_SECRET: must differ from PORTCULLIS_SECRET and PORTCULLIS_OPERATOR_SECRET",
    );
  }
  return faults;
}

function issuerFault(issuer: unknown): string | undefined {
  if (typeof issuer !== "string" || issuer === "") return "is not set";
  if (LOOPBACK.test(issuer) || HTTPS_ORIGIN.test(issuer)) return undefined;
  return "must be an https origin in lower case without a path, e.g. https://auth.example.com";
}

const BINDINGS = [
  "AUDIT",
  "KV",
  "LOG",
  "REGISTRY",
  "KEYRING",
  "ACCESS_REQUEST",
  "DIRECTORY",
  "ENDPOINT",
  "DENYLIST",
  "DEVICE_LOGIN",
  "MONITOR",
  "TRAFFIC",
  "DETECTOR",
  "REMEDIATION",
  "RATE_LIMIT",
  "PASSKEY",
  "PROOF",
  "SESSION",
  "SIGNAL_INBOX",
  "STREAM",
  "STATUS_LIST",
];

const LIMITER = /^LIMITER_([A-Z][A-Z0-9_]{0,31}_(10|60)S)$/;

/** Reads the environment, or says for each fault what is wrong; a fault's text never holds the value. */
export function readConfig(bindings: Env | Environment): Result<Config, string[]> {
  const env = bindings as Environment;
  const faults = BINDINGS.filter((name) => !env[name]).map((name) => `${name}: the binding is missing`);
  const misnamed = issuerFault(env.ISSUER);
  if (misnamed) faults.push(`ISSUER: ${misnamed}`);
  faults.push(...ownSecretFaults(env));
  const providers = providerSecrets(env, faults);
  const limiters = limitersOf(env, faults);
  if (faults.length > 0) return err(faults);
  const { ISSUER, ...secrets } = env as Record<"ISSUER" | keyof typeof OWN_SECRETS, string>;
  return ok({
    issuer: ISSUER,
    wrapping: {
      PORTCULLIS_SECRET: secrets.PORTCULLIS_SECRET,
      ...(secrets.PORTCULLIS_SECRET_PREVIOUS
        ? { PORTCULLIS_SECRET_PREVIOUS: secrets.PORTCULLIS_SECRET_PREVIOUS }
        : {}),
    },
    operatorSecret: secrets.PORTCULLIS_OPERATOR_SECRET,
    ...(secrets.PORTCULLIS_RESTORE_SECRET ? { restoreSecret: secrets.PORTCULLIS_RESTORE_SECRET } : {}),
    local: LOOPBACK.test(ISSUER),
    ...providers,
    services: new Map(Object.entries(env).filter(isService)),
    proxySecrets: secrets.PORTCULLIS_FORWARD_AUTH_SECRET
      ? [secrets.PORTCULLIS_FORWARD_AUTH_SECRET, secrets.PORTCULLIS_FORWARD_AUTH_SECRET_PREVIOUS || []].flat()
      : [],
    limiters,
  });
}

/** What identity providers share with us; what is wrong with it comes to the faults. */
function providerSecrets(
  env: Environment,
  faults: string[],
): Pick<Config, "issuerSecrets" | "signInSecrets"> {
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
  return { issuerSecrets, signInSecrets };
}

function limitersOf(env: Environment, faults: string[]): Config["limiters"] {
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
  return limiters;
}

/** By its kind: a service binding seems to have every member that it is asked for, as each may be an RPC method. */
function isService(binding: [string, unknown]): binding is [string, Fetcher] {
  return Object.prototype.toString.call(binding[1]) === "[object Fetcher]";
}
