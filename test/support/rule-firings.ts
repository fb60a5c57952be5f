import { setTimeout as sleep } from "node:timers/promises";
import { auditEvents } from "./audit.ts";
import { bodyOf, type Deployment } from "./deployment.ts";

/** A firing of a remediation rule as the API shows it. */
export type Firing = {
  id: string;
  rule_id: string;
  detection_id: string;
  detection_kind: string;
  state: string;
  actions: {
    kind: string;
    on: Record<string, string> | null;
    revocation_id?: string;
    receipt?: { accepted_at: number };
    result?: string;
    not_undone?: string;
  }[];
};

/** The records of a firing that cut something and was taken back by a person. */
export const CUT_AND_UNDONE = [
  "remediation.acted by portcullis",
  "remediation.undone by operator",
  "revocation.created by remediation",
  "revocation.lifted by operator",
];

/** Until it is so; a slow machine takes its time. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined>,
  { limitMs = 40_000, everyMs = 100 } = {},
): Promise<T> {
  for (const end = Date.now() + limitMs; Date.now() < end; await sleep(everyMs)) {
    const found = await look();
    if (found !== undefined) return found;
  }
  throw new Error(`${what}: not within ${limitMs} ms`);
}

/** What rules have done, as an operator sees it. */
export class RuleFirings {
  readonly #gate: Deployment;

  constructor(gate: Deployment) {
    this.#gate = gate;
  }

  async of(rule: string): Promise<Firing[]> {
    const answer = await this.#gate.asOperator(`/v1/remediations?rule=${rule}`);
    return bodyOf<{ items: Firing[] }>(answer, 200).items;
  }

  /** The newest firing whose first action is for whom it is asked for, once all that it does is done. */
  settled(rule: string, isFor: (on: Record<string, string>) => boolean = () => true): Promise<Firing> {
    const done = ({ kind, receipt, result }: Firing["actions"][number]) =>
      kind === "notify" || kind === "count" || receipt !== undefined || result !== undefined;
    const look = async () =>
      (await this.of(rule)).find(
        ({ actions }) => isFor(actions[0]?.on ?? {}) && actions.every((action) => done(action)),
      );
    return until(`a firing of ${rule}`, look);
  }

  async undo(id: string): Promise<Firing> {
    const json = { reason: "a test" };
    return bodyOf(await this.#gate.asOperator(`/v1/remediations/${id}/undo`, { json }), 200);
  }

  /** Which records there are of a firing and of its revocations, each with who did it, once the last is there. */
  async audited({ id, actions }: Firing): Promise<string[]> {
    const revocations = actions.flatMap(({ revocation_id }) => revocation_id ?? []);
    const look = async () => {
      const events = [
        ...(await auditEvents(this.#gate, { type: "remediation.*" })),
        ...(await auditEvents(this.#gate, { type: "revocation.*" })),
      ];
      const about = events.filter(
        ({ data }) => data?.remediation === id || revocations.includes(data?.revocation as string),
      );
      const undone = about.some(({ type }) => type === "remediation.undone");
      const lifted = about.filter(({ type }) => type === "revocation.lifted").length;
      return !undone || lifted === revocations.length ? about : undefined;
    };
    const records = await until(`the records of ${id}`, look);
    return records.map(({ type, actor }) => `${type} by ${actor?.subject.split(":")[0]}`).sort();
  }
}
