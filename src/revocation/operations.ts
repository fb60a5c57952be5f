import * as z from "zod";
import { json, type Operations, pageOf, type Same } from "../platform/operation.ts";
import type { ImportDryRun, ImportOutcome } from "./import.ts";
import { ruleSchema } from "./import-line.ts";
import { heldBackSchema, liveCountSchema, moment, receiptSchema, revocationSchema } from "./shown-schema.ts";

const ID = "rev_01m80vge8se3ps2w3e76kefsk1";
const AT = 1795325180.315;
const match = { sub: "corp|mallory" };

export const RECEIPT = {
  id: ID,
  seq: 4,
  accepted_at: AT,
  effective_by: { strict: AT, bounded: AT + 2, eventual: AT + 60 },
};

const WOULD_CUT = { tokens: 1204, grants: 3, subjects: 1, clients: 2 };

const REVOCATION = {
  id: ID,
  match,
  reason: "laptop stolen",
  actor: "corp|olivia",
  created_at: 1795325180,
  state: "in_force",
  seq: 4,
  history: [{ event: "created", at: 1795325180, actor: "corp|olivia", reason: "laptop stolen" }],
};

const lineFault = z.strictObject({ line: z.int(), error: z.string() });

const importOutcome = z
  .strictObject({
    accepted: z.int(),
    unchanged: z.int(),
    refused: z.int(),
    errors: z.array(lineFault).describe("The first hundred lines that were refused, and why."),
    awaiting_confirmation: z.array(z.string()).exactOptional(),
    receipt: receiptSchema.exactOptional(),
  })
  .meta({ id: "ImportOutcome", description: "What became of the lines; the good ones stand." });

const importDryRun = z
  .strictObject({
    dry_run: z.literal(true),
    tokens: z.int(),
    rules: z.int(),
    refused: z.int(),
    errors: z.array(lineFault),
    would_cut: z.strictObject({ tokens: z.int() }),
    exact: z.boolean(),
  })
  .meta({ id: "ImportDryRun", description: "What an import would do; nothing is changed." });

true satisfies Same<z.output<typeof importOutcome>, ImportOutcome>;
true satisfies Same<z.output<typeof importDryRun>, ImportDryRun>;

const line = z
  .union([
    z.strictObject({
      jti: z.string(),
      iss: z.string().exactOptional(),
      expires_at: moment.exactOptional(),
      reason: z.string().exactOptional(),
    }),
    ruleSchema,
  ])
  .meta({ id: "RevocationLine", description: "One line of NDJSON: a token by name, or a rule." });

const LINES = '{"jti":"tok_01m80vge8se3ps2w3e76kefsk1","expires_at":1795325180}\n';
const ndjson = { media: "application/x-ndjson", schema: line, example: LINES };

const buckets = z.array(z.strictObject({ at_most_ms: z.int().nullable(), decisions: z.int() }));
const summary = z
  .strictObject({
    promise_ms: z.number(),
    count: z.int(),
    broken: z.int().describe("Accept decisions that were taken later than promised."),
    p50: z.number(),
    p95: z.number(),
    p99: z.number(),
    max: z.number(),
  })
  .nullable();
const propagation = z
  .strictObject({
    window_seconds: z.int(),
    tiers: z.strictObject({ strict: summary, bounded: summary, eventual: summary }),
    replica_age: z.strictObject({ strict: buckets, bounded: buckets, eventual: buckets }),
  })
  .meta({ id: "Propagation", description: "What the canary measured, and how old replicas were." });

const MEASURED = { promise_ms: 2000, count: 1440, broken: 0, p50: 512, p95: 1310, p99: 1620, max: 1893 };

export const revocationOperations: Operations = {
  "POST /v1/revocations": {
    id: "revocations.create",
    summary: "Revoke tokens by what they say",
    description:
      "All members of `match` must hold. Above the policy's `confirm_above` live tokens it waits for a second person (202).",
    headers: ["idempotency-key"],
    example: { match, reason: "laptop stolen" },
    answers: {
      200: json("With `dry_run=true`: what it would cut.", liveCountSchema, {
        dry_run: true,
        would_cut: WOULD_CUT,
        exact: true,
        sample: [],
      }),
      201: json("It is in force, durably; the receipt says by when everywhere.", receiptSchema, RECEIPT, {
        Location: "Where the revocation is.",
      }),
      202: json(
        "It waits for a second person.",
        heldBackSchema,
        { id: ID, state: "awaiting_confirmation", would_cut: WOULD_CUT, exact: true, expires_at: 1795328780 },
        { Location: "Where the revocation is." },
      ),
    },
    errors: ["conflict", "gone", "idempotency_mismatch"],
  },
  "GET /v1/revocations": {
    id: "revocations.list",
    summary: "List revocations, newest first, or search them",
    description:
      "With `state` or `q` a page is what was found among at most 2,000 of them, `searched` says of how many: it may be short, or empty, and `next_cursor` goes on.",
    answers: {
      200: json(
        "A page.",
        pageOf(revocationSchema).extend({
          searched: z.int().exactOptional().describe("Of a search: how many were looked at for this page."),
        }),
        { items: [REVOCATION] },
      ),
    },
  },
  "GET /v1/revocations/:id": {
    id: "revocations.get",
    summary: "Read a revocation and its history",
    answers: { 200: json("The revocation.", revocationSchema, REVOCATION) },
    errors: ["not_found"],
  },
  "POST /v1/revocations/:id/confirm": {
    id: "revocations.confirm",
    summary: "Confirm, as the second person, a revocation that waits for one",
    example: { comment: "seen the ticket" },
    answers: { 200: json("It is in force.", receiptSchema, RECEIPT) },
    errors: ["not_found", "forbidden", "passkey_required", "conflict", "gone"],
  },
  "DELETE /v1/revocations/:id": {
    id: "revocations.lift",
    summary: "Lift a revocation, or cancel one that waits",
    answers: {
      200: json(
        "Lifted: the receipt. One that waited: the cancelled revocation.",
        z.union([receiptSchema, revocationSchema]),
        RECEIPT,
      ),
    },
    errors: ["not_found", "conflict", "gone"],
  },
  "POST /v1/revocations/import": {
    id: "revocations.import",
    summary: "Deny tokens by the million, as NDJSON",
    description: "Read as a stream, of any size. A bad line is named with its number; the good ones stand.",
    body: { ...ndjson, required: true },
    answers: {
      200: json("What became of the lines.", z.union([importOutcome, importDryRun]), {
        ...{ accepted: 2, unchanged: 0, refused: 1, errors: [{ line: 3, error: "jti: is missing" }] },
        receipt: RECEIPT,
      }),
    },
    errors: ["conflict"],
  },
  "GET /v1/revocations/export": {
    id: "revocations.export",
    summary: "Read every rule in force and every denied token, as NDJSON",
    description: "The lines can be imported again. An answer that breaks off is not whole.",
    answers: { 200: { description: "One rule or token a line.", content: ndjson } },
  },
  "GET /v1/revocations/propagation": {
    id: "revocations.propagation",
    summary: "Read how fast revocations took hold in the last 24 hours",
    answers: {
      200: json("Figures of each tier.", propagation, {
        window_seconds: 86400,
        tiers: { strict: { ...MEASURED, promise_ms: 0 }, bounded: MEASURED, eventual: null },
        replica_age: { strict: [], bounded: [{ at_most_ms: 1000, decisions: 5120 }], eventual: [] },
      }),
    },
  },
};
