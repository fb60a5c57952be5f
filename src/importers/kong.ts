import { createPublicKey } from "node:crypto";
import * as z from "zod";
import { METHODS } from "../policy/methods.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import {
  headerSource,
  type Imported,
  type ImportOptions,
  type IssuerInput,
  PolicyDraft,
  type RouteInput,
} from "./draft.ts";
import { sourceFaults } from "./source.ts";

const strings = z.array(z.string()).default([]);
const plugin = z.looseObject({
  name: z.string(),
  enabled: z.boolean().default(true),
  config: z.looseObject({}).nullish(),
});
const jwtConfig = z.looseObject({
  key_claim_name: z.string().default("iss"),
  header_names: z.array(z.string()).default(["authorization"]),
  cookie_names: strings,
  maximum_expiration: z.number().default(0),
  anonymous: z.string().nullish(),
  run_on_preflight: z.boolean().default(true),
});
const route = z.looseObject({
  name: z.string().optional(),
  paths: strings,
  hosts: strings,
  methods: strings,
  strip_path: z.boolean().default(true),
  plugins: z.array(plugin).default([]),
});
const service = z.looseObject({
  name: z.string().optional(),
  url: z.string().optional(),
  protocol: z.string().default("http"),
  host: z.string().optional(),
  port: z.int().optional(),
  path: z.string().nullish(),
  routes: z.array(route).default([]),
  plugins: z.array(plugin).default([]),
});
const credential = z.looseObject({
  key: z.string(),
  algorithm: z.string().default("HS256"),
  rsa_public_key: z.string().nullish(),
});
const configSchema = z.looseObject({
  services: z.array(service).default([]),
  plugins: z.array(plugin).default([]),
  consumers: z
    .array(z.looseObject({ username: z.string().optional(), jwt_secrets: z.array(credential).default([]) }))
    .default([]),
});

type Config = z.output<typeof configSchema>;
type Service = z.output<typeof service>;
type Route = z.output<typeof route>;
type Plugin = z.output<typeof plugin>;
type JwtConfig = z.output<typeof jwtConfig>;
type Carry = { draft: PolicyDraft; options: ImportOptions };
type At = Carry & { at: string };
/** One route of the source. */
type Step = At & { name: string; one: Route };

/** Plugins that let nobody in or out: a route that has any other is not carried over. */
const HARMLESS = new Set([
  ...["jwt", "cors", "correlation-id", "request-transformer", "response-transformer", "proxy-cache"],
  ...["prometheus", "statsd", "datadog", "zipkin", "opentelemetry"],
  ...["file-log", "http-log", "tcp-log", "udp-log", "syslog", "loggly", "kafka-log"],
]);
const LIMITS = new Set(["rate-limiting", "rate-limiting-advanced", "request-size-limiting"]);

/** A declarative configuration of Kong (decK) with the JWT plugin as a policy. */
export function importKong(input: unknown, options: ImportOptions): Result<Imported, string[]> {
  const parsed = configSchema.safeParse(input);
  if (!parsed.success) return err(sourceFaults(parsed.error));
  const carry: Carry = { draft: new PolicyDraft(), options };
  carryIssuers(carry, parsed.data);
  for (const [i, each] of parsed.data.services.entries()) {
    for (const [j, one] of each.routes.entries()) {
      const name = one.name ?? `${each.name ?? "service"}-${j + 1}`;
      const at = `services[${i}].routes[${j}] "${name}"`;
      const plugins = effective([parsed.data.plugins, each.plugins, one.plugins]);
      carryRoute({ ...carry, at, name, one }, each, plugins);
    }
  }
  return ok(carry.draft.finish());
}

/** The nearest setting of a plugin counts. */
function effective(levels: readonly (readonly Plugin[])[]): Plugin[] {
  const byName = new Map(levels.flat().map((each) => [each.name, each]));
  return [...byName.values()].filter(({ enabled }) => enabled);
}

function carryIssuers({ draft, options }: Carry, { consumers }: Config): undefined {
  for (const [i, { username, jwt_secrets }] of consumers.entries()) {
    for (const [j, { key, algorithm, rsa_public_key: pem }] of jwt_secrets.entries()) {
      const at = `consumers[${i}].jwt_secrets[${j}]${username ? ` of "${username}"` : ""}`;
      const { audience } = options;
      if (!URL.canParse(key)) {
        draft.note(
          at,
          "Left out: its key, which is the `iss` of its tokens, is not a URL.",
          "Have the issuer name itself by a URL, and add it.",
        );
      } else if (audience === undefined) {
        draft.note(
          at,
          "Left out: Kong looks at no audience, and every issuer needs one here.",
          "Give --audience.",
        );
      } else if (draft.hasIssuer(key)) {
        draft.note(
          at,
          "Left out: an issuer of this name is there already.",
          "Add its key to the keys of the first.",
        );
      } else {
        const keys = keysOf({ draft, options, at }, key, algorithm, pem ?? undefined);
        if (keys) draft.issuer({ issuer: key, audience, ...keys });
      }
    }
  }
}

type Keys = Pick<IssuerInput, "jwks" | "secret_ref" | "algorithms">;

function keysOf(
  { draft, at }: At,
  issuer: string,
  algorithm: string,
  pem: string | undefined,
): Keys | undefined {
  if (algorithm === "HS256") {
    const secret_ref = `ISSUER_SECRET_${new URL(issuer).hostname
      .toUpperCase()
      .replaceAll(/[^A-Z0-9]/g, "_")
      .slice(0, 60)}`;
    draft.note(
      at,
      "Its secret is not in the policy.",
      `Set it: wrangler secret put ${secret_ref}. Better: have the issuer sign with a key pair.`,
    );
    return { secret_ref, algorithms: ["HS256"] };
  }
  try {
    // Members in the order in which the JWK has them.
    const jwk = createPublicKey(pem ?? "").export({ format: "jwk" }) as { kty: "RSA" | "EC" | "OKP" };
    return { jwks: { keys: [jwk] }, algorithms: [algorithm] as IssuerInput["algorithms"] };
  } catch {
    draft.note(at, "Left out: its public key cannot be read.", "Add the issuer with its jwks or jwks_uri.");
    return undefined;
  }
}

function carryRoute(step: Step, from: Service, plugins: readonly Plugin[]): undefined {
  const { draft, at, one, name } = step;
  const url = addressOf(from) ?? step.options.origin;
  if (url === undefined || !URL.canParse(url)) {
    return leftOut(step, "its service has no address", "Give --origin.");
  }
  const names = plugins.map((each) => each.name);
  const unknown = names.filter((each) => !HARMLESS.has(each) && !LIMITS.has(each));
  if (unknown.length > 0) {
    const why = `what ${unknown.join(", ")} refuses has no counterpart that could be made from its settings`;
    return leftOut(step, why, "Write the route with scopes, roles, a resource or a condition.");
  }
  const limits = names.filter((each) => LIMITS.has(each));
  if (limits.length > 0) {
    draft.note(at, `Limits (${limits.join(", ")}) are not carried over.`, "Give the route a `limit`.");
  }
  const jwt = plugins.find((each) => each.name === "jwt");
  const guard = jwt ? guardOf(step, jwt) : ({ access: "public" } satisfies Guard);
  if (guard === undefined) return;
  if ((one.strip_path && one.paths.some((path) => path !== "/")) || new URL(url).pathname !== "/") {
    const todo = "The gate forwards the path as it is: have the origin answer at it.";
    draft.note(at, "Kong gave the origin another path than the client sent.", todo);
  }
  const origin = draft.origin(url);
  const methods = METHODS.filter((method) => one.methods.includes(method));
  for (const path of pathsOf(one)) {
    if (path.startsWith("~")) {
      const todo = "Write the path with `:name`, `*` or a trailing `**`.";
      leftOut(step, `"${path}" is a regular expression`, todo, path);
      continue;
    }
    for (const host of hostsOf(one)) {
      const where = { id: name, path: patternOf(path), ...(host ? { host } : {}) };
      draft.route({ ...where, ...(methods.length ? { methods } : {}), origin, ...guard });
    }
  }
}

function addressOf({ url, host, protocol, port, path }: Service): string | undefined {
  if (url !== undefined || host === undefined) return url;
  return `${protocol}://${host}${port === undefined ? "" : `:${port}`}${path ?? ""}`;
}

type Guard = Pick<RouteInput, "access" | "credential">;

function guardOf(step: Step, jwt: Plugin): Guard | undefined {
  const { draft, at } = step;
  const parsed = jwtConfig.safeParse(jwt.config ?? {});
  if (!parsed.success)
    return leftOut(step, `the JWT plugin cannot be read (${sourceFaults(parsed.error)[0]})`, "Mend it.");
  const config = parsed.data;
  if (config.key_claim_name !== "iss") {
    return leftOut(
      step,
      `keys are found by "${config.key_claim_name}", not by the issuer`,
      "Write the route for tokens of an issuer.",
    );
  }
  if (config.anonymous) {
    draft.note(
      at,
      "Requests without a token were let through as somebody anonymous.",
      "They are refused here: make the route public where that is meant.",
    );
  }
  if (!config.run_on_preflight) {
    draft.note(
      at,
      "Preflight requests (OPTIONS) were let through.",
      "Add a public route of the method OPTIONS where browsers call from other origins.",
    );
  }
  if (config.maximum_expiration > 0) {
    draft.note(
      at,
      `Tokens that ended later than in ${config.maximum_expiration} s were refused.`,
      "Here a token is refused by its age: see max_token_age_seconds.",
    );
  }
  draft.note(
    at,
    "A token in the address was taken where `uri_param_names` said so.",
    "Send it in a header: an address ends up in logs.",
  );
  const access: RouteInput["access"] = {
    ...(config.maximum_expiration > 0 ? { max_token_age_seconds: config.maximum_expiration } : {}),
  };
  return { access, credential: sourcesOf(config) };
}

function sourcesOf({ header_names, cookie_names }: JwtConfig): RouteInput["credential"] {
  return [
    ...header_names.map(headerSource),
    ...cookie_names.map((name) => ({ from: "cookie" as const, name })),
  ];
}

/** Kong takes the longest prefix: what is not carried over must not fall to a shorter one. */
function leftOut({ at, draft, name, one }: Step, why: string, todo: string, only?: string): undefined {
  for (const path of only === undefined ? pathsOf(one) : [only]) {
    for (const host of hostsOf(one)) {
      draft.shut(at, why, todo, { id: name, path: patternOf(path), ...(host ? { host } : {}) });
    }
  }
}

function pathsOf({ paths }: Route): string[] {
  return paths.length > 0 ? paths : ["/"];
}

function hostsOf({ hosts }: Route): (string | undefined)[] {
  return hosts.length > 0 ? hosts.map((host) => host.toLowerCase()) : [undefined];
}

/** A prefix as a pattern; of an expression, everything below what is certain of it. */
function patternOf(path: string): string {
  if (!path.startsWith("~")) return `${path.replace(/\/$/, "")}/**`;
  const certain = /^~\^?([\w\-/]*)/.exec(path)?.[1] ?? "/";
  return `${certain.slice(0, certain.lastIndexOf("/") + 1) || "/"}**`;
}
