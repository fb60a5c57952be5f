import type { Child } from "hono/jsx";

/** Names and what they are; a fact of `undefined` is left out. */
export function Facts({ of }: { of: Record<string, Child | undefined> }) {
  const known = Object.entries(of).filter(([, value]) => value !== undefined);
  return (
    <dl class="facts">
      {known.map(([name, value]) => (
        <div>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
