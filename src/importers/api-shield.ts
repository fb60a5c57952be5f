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

const key = z.looseObject({ kty: z.enum(["EC", "RSA", "OKP"]), kid: z.string().optional(), alg: z.string() });
const configuration = z.looseObject({
  id: z.string(),
  title: z.string().default(""),
  token_sources: z.array(z.string()).default([]),
  credentials: z.looseObject({ keys: z.array(key).min(1) }),
});
const selected = z.looseObject({
  host: z.array(z.string()).nullish(),
  operation_ids: z.array(z.string()).nullish(),
});
const rule = z.looseObject({
  title: z.string().default(""),
  action: z.string(),
  enabled: z.boolean().default(true),
  expression: z.string(),
  selector: z
    .looseObject({ include: z.array(selected).nullish(), exclude: z.array(selected).nullish() })
    .default({}),
});
const operation = z.looseObject({
  operation_id: z.string(),
  method: z.string(),
  host: z.string(),
  endpoint: z.string(),
});
const list = <T extends z.ZodType>(of: T) =>
  // The API answers `{result: […]}`; a file may hold the list itself.
  z.union([z.array(of), z.looseObject({ result: z.array(of) }).transform(({ result }) => result)]);
const exportSchema = z.looseObject({
  configurations: list(configuration),
  rules: list(rule),
  operations: list(operation),
});

type Configuration = z.output<typeof configuration>;
type Rule = z.output<typeof rule>;
type Operation = z.output<typeof operation>;
type Step = {
  draft: PolicyDraft;
  options: ImportOptions;
  at: string;
  where: Pick<RouteInput, "id" | "host" | "path" | "methods">;
};

const VALID = /^\s*is_jwt_valid\("([^"]+)"\)\s*$/;
/** Valid where there is one: the request may come without. */
const VALID_IF_PRESENT =
  /^\s*\(?\s*(?:not\s+is_jwt_present\("([^"]+)"\)\s+or\s+is_jwt_valid\("\1"\)|is_jwt_valid\("([^"]+)"\)\s+or\s+not\s+is_jwt_present\("\2"\))\s*\)?\s*$/;
const SOURCE = /^http\.request\.(headers|cookies)\["([^"]+)"\]\[0\]$/;

/**
 * JWT validation of Cloudflare's API Shield as a policy: `{configurations, rules, operations}`, as its API answers
 * them (`token_validation/config`, `token_validation/rules`, `api_gateway/operations`).
 */
export function importApiShield(input: unknown, options: ImportOptions): Result<Imported, string[]> {
  const parsed = exportSchema.safeParse(input);
  if (!parsed.success) return err(sourceFaults(parsed.error));
  const { configurations, rules, operations } = parsed.data;
  const draft = new PolicyDraft();
  const byId = new Map(configurations.map((each) => [each.id, each]));
  for (const [i, each] of operations.entries()) {
    const at = `operations[${i}] ${each.method} ${each.host}${each.endpoint}`;
    const method = METHODS.find((known) => known === each.method.toUpperCase());
    if (method === undefined) {
      draft.note(at, `No route takes ${each.method}.`, "Nothing, where nobody uses it.");
      continue;
    }
    const where = {
      id: `${method}${each.endpoint}`.toLowerCase(),
      host: each.host.toLowerCase(),
      path: each.endpoint.replaceAll(/\{[^}]+\}/g, "*"),
      methods: [method],
    };
    const covering = rules.filter((one) => covers(one, each));
    carryOperation({ draft, options, at, where }, each, covering, byId);
  }
  return ok(draft.finish());
}

function covers({ enabled, selector }: Rule, operation: Operation): boolean {
  const within = ({ host, operation_ids }: z.output<typeof selected>) =>
    (host?.includes(operation.host) ?? true) && (operation_ids?.includes(operation.operation_id) ?? true);
  const included = selector.include?.some(within) ?? true;
  return enabled && included && !(selector.exclude?.some(within) ?? false);
}

function carryOperation(
  step: Step,
  operation: Operation,
  rules: readonly Rule[],
  configurations: ReadonlyMap<string, Configuration>,
): undefined {
  const { draft, options, where } = step;
  const blocking = rules.filter(({ action }) => action === "block");
  if (rules.length > blocking.length) {
    draft.note(
      step.at,
      "A rule that only logs is not carried over.",
      "Try a policy with `portcullis policy test` instead.",
    );
  }
  if (blocking.length > 1) return leftOut(step, "several rules hold at once", "Write the route by hand.");
  const guard = blocking[0]
    ? guardOf(step, blocking[0], configurations)
    : ({ access: "public" } satisfies Guard);
  if (guard === undefined) return;
  const origin = draft.origin(options.origin ?? `https://${operation.host}`);
  if (options.origin === undefined) {
    draft.note(
      step.at,
      "API Shield does not say where its origin is.",
      "Give --origin: the gate must not forward to the host that it stands before.",
    );
  }
  draft.route({ ...where, origin, ...guard });
}

type Guard = Pick<RouteInput, "access" | "credential">;

function guardOf(
  step: Step,
  { expression }: Rule,
  known: ReadonlyMap<string, Configuration>,
): Guard | undefined {
  const optional = VALID_IF_PRESENT.exec(expression);
  const id = optional ? (optional[1] ?? optional[2]) : VALID.exec(expression)?.[1];
  const found = id === undefined ? undefined : known.get(id);
  if (found === undefined) {
    return leftOut(
      step,
      `its expression (${expression}) is more than one configuration's validity`,
      "Write the route with the issuers that it may trust.",
    );
  }
  const { issuer, audience } = step.options;
  if (issuer === undefined || audience === undefined) {
    return leftOut(
      step,
      "API Shield looks at neither issuer nor audience",
      "Give --issuer and --audience of its tokens.",
    );
  }
  const algorithms = [...new Set(found.credentials.keys.map(({ alg }) => alg))] as IssuerInput["algorithms"];
  const keys = found.credentials.keys.map(({ kty, kid, ...rest }) => ({
    kty,
    ...(kid ? { kid } : {}),
    ...rest,
  }));
  if (step.draft.hasIssuer(issuer) && known.size > 1) {
    step.draft.note(
      step.at,
      "Several configurations become one issuer, with the keys of the first.",
      "Import each by itself, with its own --issuer.",
    );
  }
  step.draft.issuer({
    issuer,
    audience,
    algorithms,
    jwks: { keys },
    claims: { scopes: "scope" },
  });
  const credential = sourcesOf(step, found);
  if (credential === undefined) return undefined;
  return optional ? { access: "public", credential } : { access: {}, credential };
}

function sourcesOf(
  step: Step,
  { token_sources }: Configuration,
): NonNullable<RouteInput["credential"]> | undefined {
  const sources = token_sources.map((source) => {
    const [, kind, name = ""] = SOURCE.exec(source) ?? [];
    if (kind === "cookies") return { from: "cookie" as const, name };
    return kind === "headers" ? headerSource(name) : undefined;
  });
  const taken = sources.filter((source) => source !== undefined);
  if (taken.length === sources.length && taken.length > 0) return taken;
  return leftOut(step, "a place of its token cannot be read", "Give the route's `credential`.");
}

/** The operation itself is what is shut: another one, with parameters, could take its requests. */
function leftOut({ at, draft, where }: Step, why: string, todo: string): undefined {
  draft.shut(at, why, todo, where);
}
