import { DurableObject } from "cloudflare:workers";
import { type Cause, causedBy } from "./cause.ts";

/** What every Durable Object of ours is: one that can be told who caused a call of its methods. */
export class CausedObject extends DurableObject<Env> {
  /** A call of one of the object's own methods, on behalf of whoever caused it. */
  callCausedBy(cause: Cause, method: string, args: unknown[]): unknown {
    if (!this.#has(method)) {
      throw new TypeError(`there is no method "${method}"`);
    }
    const own = this as unknown as Record<string, (...args: unknown[]) => unknown>;
    return causedBy(cause, () => own[method]!(...args));
  }

  /** Whether the class has the method itself. `wrangler dev` puts a class of its own between it and the object. */
  #has(method: string): boolean {
    let at: object = Object.getPrototypeOf(this);
    while (at !== CausedObject.prototype && !Object.hasOwn(at, method)) at = Object.getPrototypeOf(at);
    return at !== CausedObject.prototype && method !== "constructor";
  }
}
