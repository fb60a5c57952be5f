import { ok, type Result } from "../protocol/result.ts";
import type { Revocation } from "../revocation/rule.ts";
import type { SessionQuery } from "../revocation/session-record.ts";
import type { SessionListPort } from "./session-ports.ts";

export type EndSessionsPorts = {
  directory: SessionListPort;
  session(id: string): { revokeIfHit(rule: Revocation, by: string): Promise<Result<null>> };
};

const PAGE = 200;

/**
 * Ends the active sessions of a person, or those of one session at the provider, that a rule hits. The rule is in
 * the log already: one that no list shows yet meets it at its next token.
 */
export async function endSessions(
  whose: Pick<SessionQuery, "subject" | "provider_session">,
  rule: Revocation,
  { directory, session }: EndSessionsPorts,
): Promise<Result<null>> {
  for (let cursor: string | undefined; ; ) {
    const query = {
      ...whose,
      state: "active",
      limit: PAGE,
      ...(cursor === undefined ? {} : { cursor }),
    } as const;
    const listed = await directory.listSessions(query);
    if (!listed.ok) return listed;
    const ended = await Promise.all(listed.value.map(({ id }) => session(id).revokeIfHit(rule, rule.actor)));
    const failed = ended.find((each) => !each.ok);
    if (failed) return failed;
    cursor = listed.value.at(-1)?.id;
    if (listed.value.length < PAGE) return ok(null);
  }
}
