import { type Context, Hono } from "hono";
import * as z from "zod";
import type { Clock } from "../platform/clock.ts";
import {
  answer,
  bodyProblem,
  type HttpEnv,
  noBody,
  queryParams,
  readIfMatch,
  refuse,
  requireScope,
} from "../platform/http.ts";
import { newId } from "../platform/ids.ts";
import { accessRuleWarnings } from "../policy/access-rule-faults.ts";
import { checkPolicy } from "../policy/check.ts";
import { loadConditions } from "../policy/condition.ts";
import type { PolicyContext } from "../policy/cross-faults.ts";
import { diffPolicies } from "../policy/diff.ts";
import type { PolicyDocument, PolicyVersion } from "../policy/document.ts";
import { policyJsonSchema } from "../policy/json-schema.ts";
import { type Simulation, simulationSchema } from "../policy/simulation-schema.ts";
import { parseUniqueObject } from "../protocol/json.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { SimulationReport } from "./operations.ts";
import type { PolicyVersionPage, PolicyVersionRecord } from "./policy-store.ts";
import type { PolicyActivation, PolicyChange } from "./registry-object.ts";

export type PolicyPort = {
  activePolicy(): Promise<Result<PolicyVersion>>;
  policyVersion(version: number): Promise<Result<PolicyVersionRecord>>;
  policyVersions(page: { limit: number; before?: number }): Promise<Result<PolicyVersionPage>>;
  putPolicy(change: PolicyChange): Promise<Result<PolicyActivation>>;
  activatePolicyVersion(change: {
    id: string;
    version: number;
    actor: string;
  }): Promise<Result<PolicyActivation>>;
};

/** With what a document is checked against beside its schema, and how its access rules are tried. */
export type PolicyRouteDeps = PolicyContext & {
  registry: PolicyPort;
  clock: Clock;
  /** Tries the access rules of a new document beside those in force, without effect. */
  simulate(
    simulation: Simulation,
    before: PolicyDocument,
    after: PolicyDocument,
  ): Promise<Result<SimulationReport>>;
};

const SCHEMA_PATH = "/v1/policy/schema";
const VERSION = /^[1-9]\d{0,8}$/;

const pageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.coerce.number().int().min(1).exactOptional(),
});

/** `/v1/policy`: read, check, put, and go back to an older version. A change answers with the log's receipt. */
export function policyRoutes(deps: PolicyRouteDeps) {
  const { registry, clock } = deps;
  const read = requireScope("policy:read");
  const write = requireScope("policy:write");

  return new Hono<HttpEnv>()
    .get("/v1/policy", read, async (c) => {
      const active = await registry.activePolicy();
      return answer(c, active, 200, active.ok ? etag(active.value.version) : {});
    })
    .put("/v1/policy", write, async (c) => {
      const edited = readIfMatch(c.req.header("if-match"), "/v1/policy");
      if (!edited.ok) return refuse(c, edited.error);
      const document = await readDocument(c, deps);
      if (!document.ok) return refuse(c, document.error);
      const put = await registry.putPolicy({
        id: newId("log", clock()),
        document: document.value,
        if_match: edited.value,
        actor: c.var.actor.subject,
      });
      if (!put.ok) return refuse(c, put.error);
      const warnings = accessRuleWarnings(document.value);
      const body = warnings.length ? { ...put.value, warnings } : put.value;
      return answer(c, ok(body), 200, etag(put.value.version));
    })
    .get(SCHEMA_PATH, read, (c) =>
      c.body(JSON.stringify(policyJsonSchema(`${deps.issuer}${SCHEMA_PATH}`)), 200, {
        "content-type": "application/schema+json",
      }),
    )
    .post("/v1/policy/check", requireScope("policy:read", "policy:write"), async (c) => {
      const check = await readCheck(c, deps);
      return check.ok ? answer(c, await tryDocument(check.value, deps)) : refuse(c, check.error);
    })
    .get("/v1/policy/versions", read, queryParams(pageQuery), async (c) => {
      const { limit, cursor } = c.req.valid("query");
      return answer(
        c,
        await registry.policyVersions({ limit, ...(cursor === undefined ? {} : { before: cursor }) }),
      );
    })
    .get("/v1/policy/versions/:n", read, async (c) =>
      answer(c, await findVersion(registry, c.req.param("n"))),
    )
    .post("/v1/policy/versions/:n/activate", write, noBody, async (c) => {
      const stored = await findVersion(registry, c.req.param("n"));
      if (!stored.ok) return refuse(c, stored.error);
      const { version, document } = stored.value;
      const checked = await check(document, deps);
      if (!checked.ok) {
        const detail = `Version ${version} is no longer acceptable: ${checked.error.detail} Put a corrected document.`;
        return refuse(c, problem("conflict", detail, checked.error.extra));
      }
      const change = { id: newId("log", clock()), version, actor: c.var.actor.subject };
      return answer(c, await registry.activatePolicyVersion(change), 200, etag(version));
    });
}

function etag(version: number): { etag: string } {
  return { etag: `"${version}"` };
}

async function findVersion(registry: PolicyPort, n: string): Promise<Result<PolicyVersionRecord>> {
  if (VERSION.test(n)) return registry.policyVersion(Number(n));
  return err(problem("not_found", "Versions are numbered from 1."));
}

type Check = { document: PolicyDocument; simulation?: Simulation };

/** A check's body is the document alone, or `{document, people, asks, replay}` to have its rules tried. */
async function readCheck(c: Context<HttpEnv>, deps: PolicyRouteDeps): Promise<Result<Check>> {
  const input = await readObject(c);
  if (!input.ok) return input;
  if (!("document" in input.value)) {
    const document = await check(input.value, deps);
    return document.ok ? ok({ document: document.value }) : document;
  }
  const { document: draft, ...rest } = input.value;
  const document = await check(draft, deps);
  if (!document.ok) return document;
  const simulation = simulationSchema.safeParse(rest);
  if (!simulation.success) return err(bodyProblem(simulation.error.issues));
  if (simulation.data.replay > 0 && !c.var.actor.scopes.includes("requests:read_all")) {
    const detail = "replay: requests of others need the scope requests:read_all.";
    return err(problem("insufficient_scope", detail, { scope: "requests:read_all" }));
  }
  return ok({ document: document.value, simulation: simulation.data });
}

/** What the document would change, and how it would decide; nothing is changed. */
async function tryDocument({ document, simulation }: Check, { registry, simulate }: PolicyRouteDeps) {
  const active = await registry.activePolicy();
  if (!active.ok) return active;
  const { version, document: before } = active.value;
  const simulated = simulation ? await simulate(simulation, before, document) : ok(undefined);
  if (!simulated.ok) return simulated;
  return ok({
    valid: true,
    active_version: version,
    changes: diffPolicies(before, document),
    warnings: accessRuleWarnings(document),
    document,
    ...(simulated.value ? { simulation: simulated.value } : {}),
  });
}

async function readDocument(c: Context<HttpEnv>, deps: PolicyRouteDeps): Promise<Result<PolicyDocument>> {
  const input = await readObject(c);
  return input.ok ? check(input.value, deps) : input;
}

async function check(input: unknown, context: PolicyContext): Promise<Result<PolicyDocument>> {
  await loadConditions();
  return checkPolicy(input, context);
}

/** The body as one JSON object. Its size is limited by the control plane as for every body. */
async function readObject(c: Context<HttpEnv>): Promise<Result<Record<string, unknown>>> {
  if (!/^application\/json\s*(?:;|$)/i.test(c.req.header("content-type") ?? "")) {
    return err(problem("unsupported_media_type", "Send the policy document as application/json."));
  }
  const input = parseUniqueObject(await c.req.text());
  if (input) return ok(input);
  const detail = "The body is not one JSON object, or an object in it has a member twice.";
  return err(problem("invalid_body", detail));
}
