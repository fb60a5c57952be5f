import type { Child } from "hono/jsx";

type FigureProps = {
  caption: string;
  /** What the left and the right edge stand for. */
  from: string;
  until: string;
  rows: readonly { label: string; picture: Child }[];
};

/** A picture of one bar a row, drawn in percent of its width so that it fits every screen; a table beside it says the same. */
export function Figure({ caption, from, until, rows }: FigureProps) {
  return (
    <figure class="chart">
      <figcaption class="quiet">{caption}</figcaption>
      <div aria-hidden="true">
        {rows.map(({ label, picture }) => (
          <div class="chart-row">
            <span class="chart-label">{label}</span>
            <svg width="100%" height="20">
              <title>{label}</title>
              {picture}
            </svg>
          </div>
        ))}
        <div class="chart-row">
          <span></span>
          <span class="chart-edges">
            <span>{from}</span>
            <span>{until}</span>
          </span>
        </div>
      </div>
    </figure>
  );
}

/** A share of the whole, as SVG takes it. */
export function percent(share: number): string {
  return `${Math.round(Math.max(0, Math.min(1, share)) * 10_000) / 100}%`;
}
