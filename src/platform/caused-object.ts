import { DurableObject } from "cloudflare:workers";
import { type Cause, causedBy } from "./cause.ts";

/** What every Durable Object of ours is: one that can be told who caused a call of its methods. */
export class CausedObject extends DurableObject<Env> {
  /** A call of one of the object's own methods, on behalf of whoever caused it. */
  callCausedBy(cause: Cause, method: string, args: unknown[]): unknown {
    const own = this as unknown as Record<string, (...args: unknown[]) => unknown>;
    // What every object has is none of its own. `wrangler dev` puts a class between ours and the object.
    if (method in CausedObject.prototype || typeof own[method] !== "function") {
      throw new TypeError(`there is no method "${method}"`);
    }
    return causedBy(cause, () => own[method]!(...args));
  }
}
