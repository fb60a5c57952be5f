import * as z from "zod";
import { err, ok, type Result } from "./protocol/result.ts";

/** What the deployment is told from outside: one variable and two secrets. */
export type Config = {
  /** The issuer's origin, without a trailing slash: `iss` of our tokens and base of every URL of ours. */
  issuer: string;
  /** Root of the keys that wrap what is stored (HKDF). */
  secret: string;
  /** Secret of the bootstrap client `operator`. */
  operatorSecret: string;
  /** The issuer is plain http on a loopback host: only then may origins, keys and webhooks be so too. */
  local: boolean;
};

const LOOPBACK = /^http:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?$/;
const HTTPS_ORIGIN = /^https:\/\/[a-z0-9.-]+(?::\d+)?$/;
const MIN_SECRET_CHARS = 32;
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
    PORTCULLIS_OPERATOR_SECRET: secret,
  })
  .refine((e) => e.PORTCULLIS_SECRET !== e.PORTCULLIS_OPERATOR_SECRET, {
    path: ["PORTCULLIS_OPERATOR_SECRET"],
    message: "must differ from PORTCULLIS_SECRET",
  });

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
  "SESSION",
];

/** Reads the environment, or says for each fault what is wrong; a fault's text never holds the value. */
export function readConfig(env: Record<string, unknown>): Result<Config, string[]> {
  const faults = BINDINGS.filter((name) => !env[name]).map((name) => `${name}: the binding is missing`);
  const parsed = environment.safeParse(env);
  if (!parsed.success) faults.push(...parsed.error.issues.map((i) => `${i.path.join(".")}: ${i.message}`));
  if (faults.length > 0 || !parsed.success) return err(faults);
  const { ISSUER, PORTCULLIS_SECRET, PORTCULLIS_OPERATOR_SECRET } = parsed.data;
  return ok({
    issuer: ISSUER,
    secret: PORTCULLIS_SECRET,
    operatorSecret: PORTCULLIS_OPERATOR_SECRET,
    local: LOOPBACK.test(ISSUER),
  });
}
