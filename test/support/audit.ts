import { verifyExport } from "../../src/protocol/audit-verifier.ts";
import { bodyOf, type Deployment } from "./deployment.ts";

/** A record as the API shows it. */
export type ShownRecord = {
  seq: number;
  id: string;
  at: number;
  type: string;
  source: string;
  source_seq?: number;
  request_id?: string;
  call?: string;
  actor?: { subject: string; client_id?: string };
  about?: string;
  reason?: string;
  from?: object;
  data?: Record<string, unknown>;
  erased?: string[];
};

/** Records that match, oldest first. */
export async function auditEvents(
  gate: Deployment,
  query: Record<string, string> = {},
): Promise<ShownRecord[]> {
  const items: ShownRecord[] = [];
  for (let cursor: string | undefined; ; ) {
    const search = new URLSearchParams({
      limit: "200",
      ...query,
      ...(cursor === undefined ? {} : { cursor }),
    });
    const page = bodyOf<{ items: ShownRecord[]; next_cursor?: string }>(
      await gate.asOperator(`/v1/audit/events?${search}`),
      200,
    );
    items.push(...page.items);
    if (page.next_cursor === undefined) return items.reverse();
    cursor = page.next_cursor;
  }
}

/** What the audit API answers that is not JSON. */
export async function auditText(gate: Deployment, path: string): Promise<string> {
  const response = await fetch(`${gate.issuer}${path}`, {
    headers: { authorization: `Bearer ${gate.operator}` },
  });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.text();
}

export async function exportedLines(gate: Deployment, from = 0): Promise<string[]> {
  return (await auditText(gate, `/v1/audit/export?from=${from}`)).trimEnd().split("\n");
}

/** What the verifier says of the whole log, by the key that the deployment shows. */
export async function auditVerdict(gate: Deployment, anchors: string[] = []) {
  const verifierKey = (await auditText(gate, "/v1/audit/key")).trim();
  return verifyExport(await exportedLines(gate), { verifierKey, anchors });
}
