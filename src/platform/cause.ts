import { AsyncLocalStorage } from "node:async_hooks";

/** Who caused what happens now, and from where: what an audit record says of a call. */
export type Cause = {
  /** Of the call that it began with. */
  request_id: string;
  /** Its method and the route that it matched; never the path, which may hold a secret. */
  call: string;
  /** Who called, as the call's access token said; absent where nobody had to show one. */
  actor?: { subject: string; client_id: string; actors?: string[] };
  from?: CallPlace;
};

/** Where a call came from. The address only where the policy has it recorded. */
export type CallPlace = { country?: string; asn?: number; address?: string };

const causes = new AsyncLocalStorage<Cause | undefined>();

/** The call that the code which runs now belongs to; none where time or the platform began it. */
export function currentCause(): Cause | undefined {
  return causes.getStore();
}

/** Runs the work as part of a call, with all that it awaits. What effects it leaves behind remember the call. */
export function causedBy<T>(cause: Cause | undefined, work: () => T): T {
  return causes.run(cause, work);
}
