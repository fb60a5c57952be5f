/** How soon a route learns of a change: its consistency. */
export const TIERS = ["strict", "bounded", "eventual"] as const;
export type Tier = (typeof TIERS)[number];

/**
 * What acknowledges a change of authority. Times are epoch seconds with milliseconds as the fraction.
 * `effective_by`: after this moment no accept decision of that tier is taken against the change.
 */
export type Receipt = {
  /** The log entry's id, or the revocation's. */
  id: string;
  seq: number;
  accepted_at: number;
  effective_by: { strict: number; bounded: number; eventual: number };
};
