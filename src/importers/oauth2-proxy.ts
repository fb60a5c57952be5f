import * as z from "zod";
import { METHODS } from "../policy/methods.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { type Imported, type ImportOptions, PolicyDraft, type RouteInput } from "./draft.ts";
import { sourceFaults } from "./source.ts";

const strings = z.union([z.array(z.string()), z.string().transform((one) => [one])]).default([]);
const configSchema = z.looseObject({
  provider: z.string().default("google"),
  oidc_issuer_url: z.string().optional(),
  oidc_jwks_url: z.string().optional(),
  oidc_groups_claim: z.string().default("groups"),
  client_id: z.string().optional(),
  client_secret: z.string().optional(),
  client_secret_file: z.string().optional(),
  upstreams: strings,
  email_domains: strings,
  authenticated_emails_file: z.string().optional(),
  allowed_groups: strings,
  skip_auth_routes: strings,
  skip_auth_regex: strings,
  skip_auth_preflight: z.boolean().default(false),
  skip_jwt_bearer_tokens: z.boolean().default(false),
  extra_jwt_issuers: strings,
});

type Config = z.output<typeof configSchema>;
type Carry = { draft: PolicyDraft; config: Config };

/** A role that nobody has until somebody gives it: what a list of addresses allowed, it refuses until then. */
const NAMED_PEOPLE = "oauth2-proxy-user";
const SECRET_REF = "SIGN_IN_SECRET_OAUTH2_PROXY";
/** `^/literal`, with `/` or nothing at its end, perhaps `$`, perhaps `.*`; no other expression can be told for sure. */
const PLAIN_EXPRESSION = /^\^?(\/[\w\-/~]*)(\/\.\*|\.\*|\$)?$/;

/** A configuration file of oauth2-proxy (`oauth2-proxy.cfg`, TOML) as a policy. */
export function importOauth2Proxy(input: unknown, options: ImportOptions): Result<Imported, string[]> {
  const parsed = configSchema.safeParse(input);
  if (!parsed.success) return err(sourceFaults(parsed.error));
  const config = parsed.data;
  const carry: Carry = { draft: new PolicyDraft(), config };
  const issuer = config.oidc_issuer_url ?? options.issuer;
  if (issuer === undefined || !URL.canParse(issuer) || config.client_id === undefined) {
    return err([
      `provider: "${config.provider}" names no OpenID provider: give oidc_issuer_url (or --issuer) and client_id`,
    ]);
  }
  carryIssuer(carry, issuer, config.client_id, options);
  carryUpstreams(carry, options);
  return ok(carry.draft.finish());
}

function carryIssuer(
  { draft, config }: Carry,
  issuer: string,
  clientId: string,
  options: ImportOptions,
): undefined {
  const secret = config.client_secret !== undefined || config.client_secret_file !== undefined;
  if (secret)
    draft.note(
      "client_secret",
      "The secret is not in the policy.",
      `Set it: wrangler secret put ${SECRET_REF}.`,
    );
  draft.note(
    "redirect_url",
    "The provider knows the address of oauth2-proxy.",
    "Register {ISSUER}/session/callback/{id of the issuer} there.",
  );
  const jwks_uri = config.oidc_jwks_url ?? `${issuer.replace(/\/$/, "")}/.well-known/jwks.json`;
  if (config.oidc_jwks_url === undefined) {
    draft.note(
      "oidc_jwks_url",
      `The file does not say where the keys are; ${jwks_uri} is a guess.`,
      "Put the jwks_uri of the provider's discovery document.",
    );
  }
  draft.issuer({
    issuer,
    jwks_uri,
    algorithms: ["RS256", "ES256"],
    audience: options.audience ?? clientId,
    claims: { roles: config.oidc_groups_claim, scopes: "scope" },
    sign_in: { client_id: clientId, ...(secret ? { client_secret_ref: SECRET_REF } : {}) },
  });
  draft.withSessions();
  for (const extra of config.extra_jwt_issuers) {
    const [iss = "", audience = ""] = extra.split("=");
    if (!URL.canParse(iss) || audience === "") {
      draft.note("extra_jwt_issuers", `"${extra}" is not issuer=audience.`, "Add the issuer to the policy.");
      continue;
    }
    draft.issuer({
      ...{ issuer: iss, audience, algorithms: ["RS256", "ES256"] },
      jwks_uri: `${iss.replace(/\/$/, "")}/.well-known/jwks.json`,
    });
    draft.note("extra_jwt_issuers", `Where the keys of ${iss} are is a guess.`, "Put its jwks_uri.");
  }
}

function carryUpstreams(carry: Carry, options: ImportOptions): undefined {
  const { draft, config } = carry;
  const upstreams = config.upstreams.length > 0 ? config.upstreams : options.origin ? [options.origin] : [];
  if (upstreams.length === 0)
    draft.note("upstreams", "There are none, so there are no routes.", "Give --origin.");
  const http = upstreams.filter((upstream) => /^https?:\/\//.test(upstream) && URL.canParse(upstream));
  for (const other of upstreams.filter((upstream) => !http.includes(upstream))) {
    draft.note("upstreams", `Left out: "${other}" is not an http server.`, "Serve it by one.");
  }
  for (const upstream of http) {
    const { pathname } = new URL(upstream);
    const origin = draft.origin(upstream);
    // Without a slash at its end the path is one path, with it everything below.
    const path = pathname.endsWith("/") ? `${pathname}**` : pathname;
    draft.route({
      id: `all${pathname}`,
      path,
      origin,
      access: accessOf(carry),
      credential: credentialOf(config),
    });
  }
  const [first] = http;
  if (first !== undefined) carryOpen(carry, draft.origin(first));
}

function credentialOf({ skip_jwt_bearer_tokens: bearer }: Config): NonNullable<RouteInput["credential"]> {
  return [{ from: "session" as const }, ...(bearer ? [{ from: "authorization" as const }] : [])];
}

function accessOf({ draft, config }: Carry): RouteInput["access"] {
  const everybody = config.email_domains.includes("*") && config.authenticated_emails_file === undefined;
  if (config.allowed_groups.length > 0) {
    if (!everybody)
      draft.note(
        "email_domains",
        "Groups and addresses were both asked for; only the groups are.",
        "Put everybody who may in a group.",
      );
    return { roles: config.allowed_groups };
  }
  if (everybody) return {};
  draft.note(
    "email_domains",
    "Who may was told by mail addresses, which are no ground for a decision here: nobody may for now.",
    `Give the role "${NAMED_PEOPLE}" to those who may, at the provider.`,
  );
  return { roles: [NAMED_PEOPLE] };
}

/** What was open to everybody, where its expression can only mean one thing. */
function carryOpen({ draft, config }: Carry, origin: string): undefined {
  const open = [...config.skip_auth_routes, ...config.skip_auth_regex.map((expression) => `=${expression}`)];
  for (const each of open) {
    const [, method = "", negated, expression = ""] = /^(?:([A-Z]*)(!?)=)?(.*)$/.exec(each) ?? [];
    const [, path, end] = PLAIN_EXPRESSION.exec(expression) ?? [];
    const methods = METHODS.filter((known) => method === "" || known === method);
    if (path === undefined || negated === "!" || methods.length === 0 || !expression.startsWith("^")) {
      draft.note(
        "skip_auth_routes",
        `Left out, so that it asks for a session: "${each}" is an expression.`,
        "Add a public route with a path.",
      );
      continue;
    }
    const patterns = end === "$" ? [path] : path.endsWith("/") ? [`${path}**`] : [`${path}/**`];
    if (end !== "$" && !path.endsWith("/")) {
      draft.note(
        "skip_auth_routes",
        `"${each}" opened every path that begins so; here it is "${patterns[0]}".`,
        "Look whether that is meant.",
      );
    }
    for (const pattern of patterns)
      draft.route({ id: `open${path}`, path: pattern, methods, origin, access: "public" });
  }
  if (config.skip_auth_preflight) {
    draft.note(
      "skip_auth_preflight",
      "Preflight requests were let through.",
      "Add a public route of the method OPTIONS.",
    );
  }
}
