import { ok, type Result } from "../protocol/result.ts";
import type { Api } from "./api.ts";
import type { Standing } from "./standing.ts";
import { hasAny, type Visitor } from "./visitor.ts";
import type { GrantView, Listed, RequestView, RuleView } from "./wire.ts";

/** The rules whose approvals the visitor must confirm with a passkey, by their ids. */
export async function highRiskRules(visitor: Visitor, api: Api): Promise<Result<ReadonlySet<string>>> {
  if (!hasAny(visitor, ["requests:review"])) return ok(new Set());
  const rules = new Set<string>();
  for (let cursor: string | undefined; ; ) {
    const query = { reviewable: "true", limit: 200, cursor };
    const listed = await api.get<Listed<RuleView>>("/v1/access-rules", query);
    if (!listed.ok) return listed;
    for (const { id, high_risk } of listed.value.items) if (high_risk) rules.add(id);
    cursor = listed.value.next_cursor;
    if (cursor === undefined) return ok(rules);
  }
}

/** How far back one looks. */
const LATEST = 100;

/** What the visitor may know of each requester, asked once for each. */
export async function standingsOf(
  requests: readonly RequestView[],
  visitor: Visitor,
  api: Api,
): Promise<Result<Map<string, Standing>>> {
  const subjects = [...new Set(requests.map(({ requester }) => requester))];
  const standings = await Promise.all(subjects.map((subject) => standingOf(subject, visitor, api)));
  const failed = standings.find((each) => !each.ok);
  if (failed && !failed.ok) return failed;
  return ok(new Map(standings.map((each, i) => [subjects[i]!, each.ok ? each.value : {}])));
}

export async function standingOf(subject: string, visitor: Visitor, api: Api): Promise<Result<Standing>> {
  const [grants, requests] = await Promise.all([
    hasAny(visitor, ["grants:read"])
      ? api.get<Listed<GrantView>>("/v1/grants", { subject, state: "active", limit: LATEST })
      : undefined,
    hasAny(visitor, ["requests:read_all"])
      ? api.get<Listed<RequestView>>("/v1/access-requests", { requester: subject, limit: LATEST })
      : undefined,
  ]);
  if (grants && !grants.ok) return grants;
  if (requests && !requests.ok) return requests;
  return ok({
    ...(grants ? { grants: grants.value.items } : {}),
    ...(requests ? { requests: requests.value.items } : {}),
  });
}
