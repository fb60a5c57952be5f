/** What a page says after a form: `?done=` names one of these, and no other text is ever shown for it. */
const DONE = {
  approved: "Approved.",
  denied: "Denied.",
  "denied-all": "All of them are denied.",
  counted: "Your approval is recorded. Another approver must add theirs.",
  reviewed: "Your review is recorded.",
} as const satisfies Record<string, string>;

export type Done = keyof typeof DONE;

export function doneText(name: string | undefined): string | undefined {
  return name !== undefined && Object.hasOwn(DONE, name) ? DONE[name as Done] : undefined;
}
