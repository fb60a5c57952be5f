import type * as z from "zod";

/** What a middleware asks of a request: read by the description of the API, which so says what really runs. */
export type Demand = {
  /** An access token for the control plane. */
  token?: true;
  /** One of these scopes. */
  scopes?: readonly string[];
  query?: z.ZodType;
  body?: z.ZodType;
  /** A body is refused. */
  noBody?: true;
};

const demands = new WeakMap<object, Demand>();

/** The handler, with what it demands noted beside it. */
export function demanding<H extends object>(demand: Demand, handler: H): H {
  demands.set(handler, demand);
  return handler;
}

export function demandOf(handler: object): Demand | undefined {
  return demands.get(handler);
}
