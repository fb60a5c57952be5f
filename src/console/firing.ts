import { durationText } from "./duration.ts";
import type { ActionView, FiringView } from "./watch-wire.ts";

/** Ids by their names, in words: `sub corp|mallory, jti tok_1`. */
export function aboutText(about: Readonly<Record<string, string>>): string {
  return Object.entries(about)
    .map(([name, id]) => `${name} ${id}`)
    .join(", ");
}

/** What tells a list's reader most: the rest is on the page of the detection. */
export function shortAbout(about: Readonly<Record<string, string>>): string {
  const { iss, kid, client_id: client, ...rest } = about;
  const named = { ...rest, ...(client === undefined || client === rest.sub ? {} : { client_id: client }) };
  return aboutText(Object.keys(named).length > 0 ? named : about);
}

/** What an action of a rule does, as a sentence's end: `refuses the tokens of it for 10 min`. */
export function actionText({ kind, seconds, scopes = [], acr_values: classes = [] }: ActionView): string {
  const lasts = seconds === undefined ? "" : ` for ${durationText(seconds)}`;
  switch (kind) {
    case "count":
      return "leaves a record";
    case "notify":
      return "tells the webhook endpoints";
    case "revoke":
      return `refuses its tokens${lasts}`;
    case "step_up":
      return `asks its tokens for another sign-in${classes.length > 0 ? ` (${classes.join(" or ")})` : ""}${lasts}`;
    case "shrink_scope":
      return `takes ${scopes.join(", ")} from its tokens${lasts}`;
    case "force_sign_in":
      return "ends its sessions and tokens";
    case "block_address":
      return `refuses every request from it${lasts}`;
    case "rotate_key":
      return "begins the rotation that is due";
    default:
      return kind.replaceAll("_", " ");
  }
}

/** What came of an action so far; undefined where nothing is to be said. */
export function upshotOf(action: ActionView): string | undefined {
  return action.not_undone ?? action.result;
}

/** `Cuts 12 live tokens`, in the tense of the firing's state. */
export function cutText({ state, would_cut: cut }: Pick<FiringView, "state" | "would_cut">): string {
  const verb =
    state === "held" ? "Will cut" : state === "acted" || state === "undone" ? "Cut" : "Would have cut";
  if (cut === 0) return `${verb} no live token of ours`;
  return `${verb} ${cut.toLocaleString("en")} live token${cut === 1 ? "" : "s"} of ours`;
}

/** Whether something of it can be taken back. */
export function isUndoable({ state, actions }: Pick<FiringView, "state" | "actions">): boolean {
  return state === "acted" && actions.some(({ revocation_id: id }) => id !== undefined);
}

/** What taking it back lets in again, and what stays. */
export function undoText({ actions }: Pick<FiringView, "actions">): string {
  const lifted = actions.filter(({ revocation_id: id }) => id !== undefined).length;
  const sessions = actions.some(({ kind }) => kind === "force_sign_in");
  return [
    `Lifts ${lifted === 1 ? "the revocation" : `the ${lifted} revocations`} that it made: what they hit and has not expired is accepted again, within the bound of each route.`,
    sessions ? "A session that was refreshed meanwhile stays over." : "",
    actions.some(({ kind }) => kind !== "revoke" && kind !== "count") && lifted < actions.length
      ? "What was sent, and a rotation that began, stays."
      : "",
  ]
    .filter((part) => part !== "")
    .join(" ");
}

/** How many persons must still confirm what is held. */
export function confirmationsLeft({ held }: Pick<FiringView, "held">): number {
  return held ? Math.max(0, held.needed - held.confirmations.length) : 0;
}
