const TONES: Record<string, string> = {
  pending: "waiting",
  scheduled: "waiting",
  approved: "good",
  active: "good",
  denied: "bad",
  revoked: "bad",
  held: "waiting",
  passed: "good",
  failed: "bad",
  refused: "bad",
  "let through": "good",
  acted: "bad",
  over_hourly_limit: "bad",
  in_force: "bad",
  delivered: "good",
  dead_letter: "bad",
  current: "good",
  next: "waiting",
  compromised: "bad",
  awaiting_confirmation: "waiting",
};

/** A state as a word in a colour; the word alone says it too. */
export function StateBadge({ state }: { state: string }) {
  return <span class={`badge ${TONES[state] ?? "over"}`}>{state.replaceAll("_", " ")}</span>;
}

/** Scopes, each as one piece. `added` marks those that are new. */
export function Scopes({ scopes, added }: { scopes: readonly string[]; added?: ReadonlySet<string> }) {
  return (
    <ul class="scopes">
      {scopes.map((scope) => (
        <li>
          <code>{scope}</code>
          {added?.has(scope) ? <span class="badge waiting">new</span> : null}
        </li>
      ))}
    </ul>
  );
}
