import * as z from "zod";
import { json, type Operations, pageOf, raw, type Same } from "../platform/operation.ts";
import { AUDIT_TYPES, type AuditActor, DISCLOSED_MEMBERS } from "../protocol/audit-record.ts";
import type { ConsistencyProof, InclusionProof } from "./audit-object.ts";

const text = z.string().exactOptional();
const count = z.int();

const actor = z.strictObject({
  subject: z.string().describe("`time` and `portcullis` stand for what happens by itself."),
  client_id: text,
  actors: z.array(z.string()).exactOptional().describe("Who acts for the subject, nearest first (RFC 8693)."),
});
true satisfies Same<z.output<typeof actor>, AuditActor>;

const record = z
  .strictObject({
    seq: count.describe("Its place in the log, from 0."),
    id: z.string(),
    at: z.int().describe("Epoch seconds."),
    type: z.enum(AUDIT_TYPES),
    source: z.string().describe("The object that did it."),
    source_seq: count.exactOptional().describe("Numbers the object's records from 1 without a gap."),
    request_id: text.describe("Of the call that it began with."),
    call: text.describe("Method and route of that call."),
    actor: actor.exactOptional(),
    about: text.describe("The person or client that it is about."),
    reason: text,
    from: z.strictObject({ country: text, asn: count.exactOptional(), address: text }).exactOptional(),
    data: z.record(z.string(), z.unknown()).exactOptional().describe("Ids, names of the policy and numbers."),
    erased: z.array(z.enum(DISCLOSED_MEMBERS)).exactOptional().describe("Members whose value was erased."),
  })
  .meta({ id: "AuditRecord", description: "A change of authority, or a call that was refused." });

const RECORD = {
  ...{ seq: 41, id: "evt_01m80vge8se3ps2w3e76kefsk1", at: 1795325180, type: "grant.revoked" },
  ...{ source: "access_request/req_01m80vge8se3ps2w3e76kefsk1", source_seq: 5 },
  ...{ request_id: "dec_01m80vge8se3ps2w3e76kefsk1", call: "POST /v1/grants/:id/revoke" },
  ...{ actor: { subject: "corp|olivia", client_id: "cli_1" }, about: "corp|alice" },
  ...{ reason: "the ticket is closed", from: { country: "CH", asn: 559 } },
  data: { grant: "grt_01m80vge8se3ps2w3e76kefsk1", resource: "orders" },
};

const hash = z.string().describe("SHA-256, base64.");
const proof = { hashes: z.array(hash), checkpoint: z.string().describe("A signed note (C2SP).") };
const inclusion = z
  .strictObject({ seq: count, leaf_hash: hash, size: count, root_hash: hash, ...proof })
  .meta({ id: "InclusionProof", description: "That a record is in the log." });
const consistency = z
  .strictObject({ ...{ from: count, to: count, from_root_hash: hash, to_root_hash: hash }, ...proof })
  .meta({ id: "ConsistencyProof", description: "That the log begins with what it was." });
true satisfies Same<z.output<typeof inclusion>, InclusionProof>;
true satisfies Same<z.output<typeof consistency>, ConsistencyProof>;

const HASH = "brZx9ycUKlKyOVRjCtDEBuPrTRyb3KiLE9bR8p7QfHs=";
const NOTE = `auth.example.com/v1/audit\n42\n${HASH}\n\n— auth.example.com/v1/audit UpNzBA…\n`;

export const auditOperations: Operations = {
  "GET /v1/audit/events": {
    id: "audit.list",
    summary: "List what was recorded, newest first",
    answers: { 200: json("A page.", pageOf(record), { items: [RECORD] }) },
  },
  "GET /v1/audit/checkpoint": {
    id: "audit.checkpoint",
    summary: "Read the log's size and root hash, signed",
    answers: { 200: raw("A C2SP tlog-checkpoint.", "text/plain", NOTE) },
    client: false,
  },
  "GET /v1/audit/key": {
    id: "audit.key",
    summary: "Read the key that verifies checkpoints",
    answers: { 200: raw("A C2SP verifier key.", "text/plain", "auth.example.com/v1/audit+52937304+AdX…\n") },
    client: false,
  },
  "GET /v1/audit/proof": {
    id: "audit.proof",
    summary: "Prove that a record is in the log, or that the log begins with what it was",
    description:
      "`seq` asks for an inclusion proof, `from` for a consistency proof from that size (RFC 6962 §2.1).",
    answers: {
      200: json("The proof, with the checkpoint that it leads to.", z.union([inclusion, consistency]), {
        ...{ seq: 41, leaf_hash: HASH, size: 42, root_hash: HASH, hashes: [HASH], checkpoint: NOTE },
      }),
    },
    errors: ["not_found"],
  },
  "GET /v1/audit/tile/:level/:path{.+}": {
    id: "audit.tile",
    summary: "Read a tile of hashes, or with the level `entries` the leaves of one (C2SP tlog-tiles)",
    answers: { 200: raw("The bytes.", "application/octet-stream") },
    errors: ["not_found", "gone"],
    client: false,
  },
  "GET /v1/audit/export": {
    id: "audit.export",
    summary: "Export the log from a record on, for the offline verifier",
    answers: { 200: raw("One record or checkpoint a line.", "application/x-ndjson") },
    errors: ["not_found"],
    client: false,
  },
  "POST /v1/audit/erasures": {
    id: "audit.erase",
    summary: "Erase what records say of a person",
    description: "The log stays verifiable: it commits to salted hashes. The erasure is recorded.",
    example: { subject: "corp|alice", reason: "the right to erasure" },
    answers: {
      200: json("How many records named them.", z.strictObject({ records: count }), { records: 12 }),
    },
    errors: ["not_found"],
  },
};
