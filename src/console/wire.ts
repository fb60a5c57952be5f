import type {
  AccessRequest,
  AccessRuleTerms,
  ApprovalTree,
  Extension,
  Grant,
  Passkey,
  Review,
} from "../client/contract.ts";

/** What the console reads of the HTTP contract's answers, by the names that its pages have for them. */

export type RequestView = AccessRequest;
export type TreeView = ApprovalTree;
export type PeopleView = NonNullable<AccessRequest["escalated_to"]>;
export type ReviewView = Review;
/** One question to approvers: of a request, or of an extension. */
export type RoundView = Pick<AccessRequest, keyof AccessRequest & keyof Extension>;
export type ExtensionView = Extension;
export type GrantView = Grant;
export type RuleView = AccessRuleTerms;
export type PasskeyView = Passkey;
export type Listed<T> = { items: T[]; next_cursor?: string };
