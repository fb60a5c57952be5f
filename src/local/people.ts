/** Who can sign in at the demo identity provider, and the role that its tokens then carry. */
export const PEOPLE = {
  alice: { name: "Alice", role: "developer", does: "asks for access" },
  bob: { name: "Bob", role: "approver", does: "approves or denies" },
  olivia: { name: "Olivia", role: "operator", does: "runs the gate" },
} as const;

export type Person = keyof typeof PEOPLE;

export function isPerson(text: unknown): text is Person {
  return typeof text === "string" && Object.hasOwn(PEOPLE, text);
}
