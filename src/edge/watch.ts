import type { Clock } from "../platform/clock.ts";
import type { Route } from "../policy/document.ts";
import { usableUntil } from "../tokens/claims.ts";
import type { Allowance, Refusal, RefuseReason } from "./decision.ts";
import { refusal } from "./decision.ts";
import { stalenessOf } from "./freshness.ts";

/** Open connections of strict routes: their requests ask the log each time, which nothing that stays open can. */
const STRICT_BOUND_MS = 1_000;
/** Of a bound, how often an open connection is looked at; a look is on a view of at most half the bound. */
const LOOKS_A_BOUND = 4;
/** What cannot be told for a moment; the connection ends where it cannot be told for longer than the bound. */
const UNCERTAIN: ReadonlySet<RefuseReason> = new Set(["stale", "no_view", "token_issuer_keys_unavailable"]);

/** How long a connection may stay open after what it stands on is gone. */
export function openBoundMs(route: Route): number {
  const { always, boundMs } = stalenessOf(route);
  return always ? STRICT_BOUND_MS : boundMs;
}

/**
 * Looks again and again whether a request that stays open would still be let through, and calls `cut` once when
 * it would not: at the very end of the token's window, and within the route's bound after anything else. The
 * timer belongs to the request, as the platform allows no other; the replica that it looks at is the isolate's,
 * and is renewed once for all. Answers how to stop.
 */
export function watch(
  { route, token, recheck }: Pick<Allowance, "route" | "token" | "recheck">,
  cut: (why: Refusal) => void,
  clock: Clock,
): () => void {
  if (!token || !recheck) return () => {};
  const boundMs = openBoundMs(route);
  let certainAtMs = clock();
  let stopped = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const wait = () => {
    const leftMs = usableUntil(token) * 1000 - clock();
    timer = setTimeout(look, Math.max(1, Math.min(boundMs / LOOKS_A_BOUND, leftMs)));
  };
  const look = async () => {
    const askedMs = clock();
    const why = await recheck().catch(() => refusal("internal"));
    if (stopped) return;
    if (!why) certainAtMs = askedMs;
    if (why && (!UNCERTAIN.has(why.reason) || clock() - certainAtMs > boundMs)) {
      stopped = true;
      return cut(why);
    }
    wait();
  };
  wait();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
