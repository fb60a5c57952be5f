import { Hono } from "hono";
import * as z from "zod";
import { type HttpEnv, queryParams, refuse, requireScope } from "../platform/http.ts";
import { personOfActor } from "./open.ts";
import { type AccessDeps, scopeText } from "./routes.ts";
import { covers, presentRule, type RuleUse, usesOf } from "./shown-rule.ts";

const flag = z.enum(["true", "false"]).exactOptional();

const listSchema = z.strictObject({
  askable: flag,
  reviewable: flag,
  resource: z.string().min(1).max(256).exactOptional(),
  scope: scopeText.exactOptional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(64).exactOptional(),
});

/**
 * `GET /v1/access-rules`: the rules by which the caller may ask, take in an emergency or review, in the policy's order,
 * so that the first one that covers what is wanted is the one that counts.
 */
export function accessRuleRoutes(deps: Pick<AccessDeps, "policy">) {
  return new Hono<HttpEnv>().get(
    "/v1/access-rules",
    requireScope("requests:read"),
    queryParams(listSchema),
    async (c) => {
      const query = c.req.valid("query");
      const policy = await deps.policy();
      if (!policy.ok) return refuse(c, policy.error);
      const person = personOfActor(c.var.actor);
      const wanted: RuleUse[][] = [
        ...(query.askable === "true" ? [["ask", "emergency"] satisfies RuleUse[]] : []),
        ...(query.reviewable === "true" ? [["review"] satisfies RuleUse[]] : []),
      ];
      const about = {
        scopes: query.scope?.split(" ") ?? [],
        ...(query.resource === undefined ? {} : { resource: query.resource }),
      };
      const all = policy.value.access_rules;
      const after = query.cursor === undefined ? -1 : all.findIndex(({ id }) => id === query.cursor);
      const usable = all
        .slice(after + 1)
        .filter((rule) => covers(rule, about))
        .map((rule) => ({ rule, uses: usesOf(rule, person) }))
        .filter(({ uses }) => uses.length > 0)
        .filter(({ uses }) => wanted.every((anyOf) => anyOf.some((use) => uses.includes(use))));
      const items = usable.slice(0, query.limit);
      const last = usable.length > items.length ? items.at(-1) : undefined;
      return c.json({
        items: items.map(({ rule, uses }) => presentRule(rule, uses)),
        ...(last ? { next_cursor: last.rule.id } : {}),
      });
    },
  );
}
