/** What a page says after a form: `?done=` names one of these, and no other text is ever shown for it. */
const DONE = {
  approved: "Approved.",
  denied: "Denied.",
  "denied-all": "All of them are denied.",
  counted: "Your approval is recorded. Another approver must add theirs.",
  asked: "Asked. The approvers have been told; this page shows what they decide.",
  answered: "The access rule itself has answered: see below.",
  cancelled: "Taken back.",
  "given-back": "Given back. Its access tokens are refused everywhere within the bound of each route.",
  "extension-asked": "More time is asked for.",
  "passkey-added": "The passkey is added.",
  "passkey-removed": "The passkey is removed.",
  reviewed: "Your review is recorded.",
  "firing-confirmed": "Confirmed: it acts. Below is by when it holds.",
  "firing-counted": "Your confirmation is recorded. Another person must add theirs.",
  "firing-dismissed": "Given up. Nothing was done.",
  "firing-undone": "Taken back, as far as it can be. Below is by when.",
  "grant-revoked": "Revoked. The receipt says by when every route refuses it.",
  revoked: "Revoked. The receipt says by when every route refuses it.",
  "revocation-proposed": "Nothing is revoked yet: another person must confirm it within an hour.",
  "proposal-given-up": "Given up: nothing was revoked by it.",
  "policy-put": "In force. Every edge follows within the bound of each route.",
  "policy-back": "Gone back. Every edge follows within the bound of each route.",
  "test-sent": "A test event is on its way: see the deliveries.",
  "sent-again": "It is sent again: see its attempts.",
  "sent-again-in-part": "A part is sent again: do it once more for what is left.",
  "all-sent-again": "All of them are sent again: see their attempts.",
  "endpoint-added": "The endpoint is added.",
  "endpoint-changed": "Changed.",
  "endpoint-paused": "Paused: it is told of nothing until it is enabled again.",
  "endpoint-enabled": "Enabled: it is told of what happens from now on.",
  "endpoint-deleted": "Deleted: it is told of nothing more.",
  "client-changed": "Changed.",
  "client-disabled": "Disabled: it gets no token, and those that it has are refused.",
  "client-enabled": "Enabled again.",
  "client-deleted": "Deleted: its tokens are refused.",
  rotated: "Rotated: a new key signs.",
  "rotation-planned":
    "The next key is published. It signs when every verifier can know it; nothing more is to be done.",
  lifted: "Lifted. What it hit is accepted again within the bound of each route.",
} as const satisfies Record<string, string>;

export type Done = keyof typeof DONE;

export function doneText(name: string | undefined): string | undefined {
  return name !== undefined && Object.hasOwn(DONE, name) ? DONE[name as Done] : undefined;
}
