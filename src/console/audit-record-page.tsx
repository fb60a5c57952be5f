import type { AuditRecord, InclusionProof } from "../client/contract.ts";
import { actorText } from "./audit-page.tsx";
import { demandText } from "./explaining.ts";
import { Facts } from "./facts.tsx";
import { Time } from "./time.tsx";

type Props = { record: AuditRecord; proof: InclusionProof; fault: string | undefined; now: number };

/** One record, and the proof that it is in the log. */
export function AuditRecordPage({ record, proof, fault, now }: Props) {
  return (
    <>
      <Recorded record={record} now={now} />
      <section class="card" aria-labelledby="proof">
        <h2 id="proof">Proof</h2>
        {fault === undefined ? (
          <p class="notice good">
            Record {proof.seq} is in the log of {proof.size} records: from its leaf hash, the audit path leads
            to the root hash of the signed checkpoint.
          </p>
        ) : (
          <p class="notice bad">The proof does not hold: {fault}.</p>
        )}
        <Facts
          of={{ "Leaf hash": <code>{proof.leaf_hash}</code>, "Root hash": <code>{proof.root_hash}</code> }}
        />
        <details>
          <summary>Audit path and checkpoint</summary>
          <ol>
            {proof.hashes.map((hash) => (
              <li>
                <code>{hash}</code>
              </li>
            ))}
          </ol>
          <pre>{proof.checkpoint}</pre>
        </details>
        <p class="quiet">
          This deployment has checked itself. To rely on nobody, check an export offline, with a key and a
          checkpoint that you have kept elsewhere.
        </p>
      </section>
    </>
  );
}

function Recorded({ record, now }: Pick<Props, "record" | "now">) {
  const { at, actor, about, reason, from, source, call, request_id: request, data, erased } = record;
  return (
    <>
      <Facts
        of={{
          When: <Time at={at} now={now} />,
          By: actor && actorText(actor),
          About: about,
          Why: reason,
          From: from && demandText(from),
          Erased: erased?.join(", "),
          Source: source,
          Call: call,
          Request: request,
        }}
      />
      {data === undefined ? null : <pre>{JSON.stringify(data, null, 2)}</pre>}
      <p class="quiet">
        <code>{record.id}</code>
      </p>
    </>
  );
}
