/** The rate limiters, as in wrangler.toml. */
export const RATE_LIMITS = {
  LIMITER_BURST_10S: { namespace_id: "10010", simple: { limit: 50, period: 10 } },
  LIMITER_STANDARD_60S: { namespace_id: "10060", simple: { limit: 600, period: 60 } },
} as const;
