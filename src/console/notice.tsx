import type { Child } from "hono/jsx";
import type { Problem } from "../protocol/problem.ts";

/** What a page says where there is nothing to list, and what to do about it. */
export function Empty({ title, children }: { title: string; children?: Child }) {
  return (
    <div class="empty">
      <h2>{title}</h2>
      <p>{children}</p>
    </div>
  );
}

/** Why a form was not taken, above the form that is shown again. */
export function Refused({ problem }: { problem: Problem | undefined }) {
  if (!problem) return null;
  const faults = Array.isArray(problem.extra?.faults) ? problem.extra.faults.map(String) : [];
  return (
    <div class="notice bad" role="alert">
      <p>{problem.detail}</p>
      {faults.length > 1 ? (
        <ul>
          {faults.map((fault) => (
            <li>{fault}</li>
          ))}
        </ul>
      ) : null}
    </div>
  );
}
