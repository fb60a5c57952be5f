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
import { readUrlMatch, type Target, widestTarget } from "./url-match.ts";

const strings = z.union([z.array(z.string()), z.string().transform((one) => [one])]).default([]);

const jwtConfig = z.looseObject({
  jwks_urls: strings,
  trusted_issuers: strings,
  target_audience: strings,
  required_scope: strings,
  allowed_algorithms: strings,
  scope_strategy: z.string().optional(),
  token_from: z
    .looseObject({
      header: z.string().optional(),
      query_parameter: z.string().optional(),
      cookie: z.string().optional(),
    })
    .optional(),
});
const handler = z.looseObject({ handler: z.string(), config: z.unknown().optional() });
const ruleSchema = z.looseObject({
  id: z.string().min(1),
  match: z.looseObject({ url: z.string(), methods: z.array(z.string()).default([]) }),
  authenticators: z.array(handler).default([]),
  authorizer: handler.optional(),
  mutators: z.array(handler).default([]),
  upstream: z
    .looseObject({
      url: z.string().optional(),
      strip_path: z.string().optional(),
      preserve_host: z.boolean().optional(),
    })
    .optional(),
});
const rulesSchema = z.array(ruleSchema);
/** The part of Oathkeeper's own configuration that its rules fall back to. */
const configSchema = z.looseObject({
  authenticators: z.looseObject({ jwt: z.looseObject({ config: z.unknown() }).optional() }).optional(),
});

type Rule = z.output<typeof ruleSchema>;
type JwtConfig = z.output<typeof jwtConfig>;
/** Where the rule stands, its name, and what every step needs. */
type At = { at: string; rule: Rule; draft: PolicyDraft; options: ImportOptions };

const OPEN_HANDLERS = new Set(["noop", "anonymous"]);
const DEFAULT_ALGORITHMS = ["RS256"];

/**
 * Access rules of Ory Oathkeeper (a list of rules) as a policy.
 *
 * @param config Oathkeeper's configuration, for what its rules leave to it.
 */
export function importOathkeeper(
  rules: unknown,
  options: ImportOptions,
  config?: unknown,
): Result<Imported, string[]> {
  const parsed = rulesSchema.safeParse(rules);
  if (!parsed.success) return err(sourceFaults(parsed.error));
  const global = configSchema.safeParse(config ?? {});
  if (!global.success) return err(sourceFaults(global.error));
  const draft = new PolicyDraft();
  for (const [i, rule] of parsed.data.entries()) {
    carryRule(
      { at: `rules[${i}] "${rule.id}"`, rule, draft, options },
      global.data.authenticators?.jwt?.config,
    );
  }
  return ok(draft.finish());
}

function carryRule(step: At, defaults: unknown): undefined {
  const { at, rule, draft } = step;
  const authorizer = rule.authorizer?.handler ?? "allow";
  if (authorizer === "deny" || rule.authenticators.some(({ handler }) => handler === "unauthorized")) {
    return draft.note(at, "The rule refuses; the gate refuses what has no route.", "Nothing.");
  }
  if (authorizer !== "allow") {
    return leftOut(
      step,
      `its authorizer "${authorizer}" asks another service`,
      "Write the route with scopes, roles or a condition.",
    );
  }
  const origin = originOf(step);
  const targets = readUrlMatch(rule.match.url);
  if (origin === undefined)
    return leftOut(step, "it has no upstream", "Give --origin, or add the route with an origin.");
  if (!targets.ok)
    return leftOut(
      step,
      `of its address: ${targets.error}`,
      "Write the path with `:name`, `*` or a trailing `**`.",
    );
  const guard = guardOf(step, defaults);
  if (guard === undefined) return;
  noteMutators(step);
  for (const target of targets.value) carryTarget(step, target, origin, guard);
}

type Guard = Pick<RouteInput, "access" | "credential">;

/** What the rule asks of a token; undefined, and noted, where that cannot be carried over. */
function guardOf(step: At, defaults: unknown): Guard | undefined {
  const { rule } = step;
  const jwt = rule.authenticators.filter(({ handler }) => handler === "jwt");
  const open = rule.authenticators.filter(({ handler }) => OPEN_HANDLERS.has(handler));
  const other = rule.authenticators.find(({ handler }) => handler !== "jwt" && !OPEN_HANDLERS.has(handler));
  if (other !== undefined || jwt.length > 1 || rule.authenticators.length === 0) {
    const why = other
      ? `its authenticator "${other.handler}" has no counterpart`
      : "it has no authenticator, or several for JWTs";
    leftOut(step, why, "Write the route for tokens of an issuer, or for sessions.");
    return undefined;
  }
  if (open.length > 0) {
    if (jwt.length > 0)
      step.draft.note(
        step.at,
        "A token was checked where one was sent.",
        "It still is: a bad token is refused, none is let through.",
      );
    return { access: "public" };
  }
  const config = jwtConfig.safeParse({
    ...(defaults as object | undefined),
    ...(jwt[0]?.config as object | undefined),
  });
  if (!config.success) {
    leftOut(step, `its JWT settings cannot be read (${sourceFaults(config.error)[0]})`, "Mend the rule.");
    return undefined;
  }
  return jwtGuard(step, config.data);
}

function jwtGuard(step: At, config: JwtConfig): Guard | undefined {
  const { draft, at, options } = step;
  const issuers =
    config.trusted_issuers.length > 0 ? config.trusted_issuers : options.issuer ? [options.issuer] : [];
  const audience = config.target_audience[0] ?? options.audience;
  if (issuers.length === 0 || audience === undefined) {
    const missing =
      issuers.length === 0 ? "issuer it trusts (any was taken)" : "audience that tokens must name";
    leftOut(step, `it names no ${missing}`, `Give --${issuers.length === 0 ? "issuer" : "audience"}.`);
    return undefined;
  }
  if (config.target_audience.length > 1) {
    draft.note(
      at,
      `Of its audiences only ${JSON.stringify(audience)} is taken.`,
      "Trust the issuer once for each audience that is in use.",
    );
  }
  for (const issuer of issuers) {
    const keys = keysOf(issuer, config.jwks_urls);
    if (!URL.canParse(issuer) || keys === undefined) {
      leftOut(
        step,
        `where the keys of ${JSON.stringify(issuer)} are cannot be told`,
        "Add the issuer to the policy with its jwks_uri.",
      );
      return undefined;
    }
    draft.issuer({
      issuer,
      jwks_uri: keys,
      algorithms: (config.allowed_algorithms.length
        ? config.allowed_algorithms
        : DEFAULT_ALGORITHMS) as IssuerInput["algorithms"],
      audience,
      claims: { scopes: "scope" },
    });
  }
  if (config.scope_strategy && config.scope_strategy !== "exact" && config.scope_strategy !== "none") {
    draft.note(
      at,
      `Scopes were compared by "${config.scope_strategy}"; here they are compared exactly.`,
      "Name every scope that the route needs.",
    );
  }
  const credential = credentialOf(step, config);
  return credential === undefined ? undefined : { access: { scopes: config.required_scope }, ...credential };
}

/** One set of keys serves every issuer; of several, the one at the issuer's own address. */
function keysOf(issuer: string, urls: readonly string[]): string | undefined {
  if (urls.length === 1) return urls[0];
  const own = urls.filter(
    (url) => URL.canParse(url) && URL.canParse(issuer) && new URL(url).host === new URL(issuer).host,
  );
  return own.length === 1 ? own[0] : undefined;
}

function credentialOf(step: At, { token_from: from }: JwtConfig): Pick<Guard, "credential"> | undefined {
  if (from?.query_parameter !== undefined) {
    leftOut(
      step,
      "its token is in the address, where logs and histories keep it",
      "Send the token in the Authorization header.",
    );
    return undefined;
  }
  if (from?.cookie !== undefined) return { credential: [{ from: "cookie", name: from.cookie }] };
  const source = headerSource(from?.header ?? "authorization");
  return source.from === "authorization" ? {} : { credential: [source] };
}

function originOf({ at, rule, draft, options }: At): string | undefined {
  const url = rule.upstream?.url ?? options.origin;
  if (url === undefined || !URL.canParse(url)) return undefined;
  const { pathname } = new URL(url);
  if (rule.upstream?.strip_path !== undefined || pathname !== "/") {
    draft.note(
      at,
      "The origin got another path than the client sent.",
      "The gate forwards the path as it is: have the origin answer at it.",
    );
  }
  if (rule.upstream?.preserve_host === true) {
    draft.note(
      at,
      "The origin got the client's Host.",
      "It gets its own here; the client's is in X-Forwarded-Host.",
    );
  }
  return draft.origin(url);
}

function noteMutators({ at, rule, draft }: At): undefined {
  const names = rule.mutators.map(({ handler }) => handler).filter((name) => name !== "noop");
  if (names.length === 0) return;
  draft.note(
    at,
    `Mutators (${names.join(", ")}) are not carried over.`,
    "The origin gets X-Portcullis-Assertion, and the headers of `identity_headers`.",
  );
}

function carryTarget(step: At, { differs, ...target }: Target, origin: string, guard: Guard): undefined {
  const { at, rule, draft } = step;
  if (differs?.how === "wider" && guard.access === "public") {
    return leftOut(
      step,
      `${differs.because}, and the route is open to everybody`,
      "Write the route by hand.",
      target,
    );
  }
  if (differs)
    draft.note(at, `It is ${differs.how} than it was: ${differs.because}.`, "Look whether that is meant.");
  const methods = METHODS.filter((method) => rule.match.methods.includes(method));
  const unknown = rule.match.methods.filter((method) => !(METHODS as readonly string[]).includes(method));
  if (unknown.length > 0)
    draft.note(at, `No route takes ${unknown.join(", ")}.`, "Nothing, where nobody uses it.");
  if (methods.length === 0) return leftOut(step, "it names no method", "Name the methods.");
  draft.route({ id: rule.id, ...target, methods, origin, ...guard });
}

function leftOut({ at, rule, draft }: At, why: string, todo: string, only?: Target): undefined {
  const read = readUrlMatch(rule.match.url);
  const targets = only ? [only] : read.ok ? read.value : [widestTarget(rule.match.url)];
  for (const { host, path } of targets)
    draft.shut(at, why, todo, { id: rule.id, path, ...(host ? { host } : {}) });
}
