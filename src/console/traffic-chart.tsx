/** The height of the picture's own measure; it is stretched to its place. */
const HEIGHT = 100;

/** Counts over time as upright bars, from nothing to the largest. The text beside it and a table say the same. */
export function Bars({ counts, tone }: { counts: readonly number[]; tone: "good" | "bad" }) {
  const most = Math.max(1, ...counts);
  return (
    <svg
      class="bars"
      viewBox={`0 0 ${counts.length} ${HEIGHT}`}
      preserveAspectRatio="none"
      aria-hidden="true"
      focusable="false"
    >
      {counts.map((count, at) => {
        // What is there at all can be seen.
        const height = count === 0 ? 0 : Math.max(3, Math.round((count / most) * HEIGHT));
        return <rect class={`bar ${tone}`} x={at + 0.1} width={0.8} y={HEIGHT - height} height={height} />;
      })}
    </svg>
  );
}
