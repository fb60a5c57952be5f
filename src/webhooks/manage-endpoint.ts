import * as z from "zod";
import { type Clock, epochSeconds } from "../platform/clock.ts";
import type { Actor } from "../platform/http.ts";
import type { CreationIds } from "../platform/idempotency.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { configOf, type EndpointRecord, type RegistryPort } from "./endpoint.ts";
import { type EndpointSecrets, publicKeysOf, type SignatureScheme, schemeOf } from "./endpoint-secret.ts";
import { EVENT_FILTERS, type EventFilter } from "./event.ts";
import type { EndpointPort } from "./publish.ts";
import { checkHandOut, type ReviewsAs, reviewsAsSchema } from "./reviews-as.ts";
import { shownSecret } from "./signature.ts";
import { type SlackInput, slackSchema } from "./slack-schema.ts";
import type { SlackSecretBox, SlackSettings } from "./slack-settings.ts";
import { checkSlackUrl, checkWebhookUrl } from "./url-guard.ts";

export type ManageDeps = {
  registry: RegistryPort;
  /** The object of one endpoint, by its id. */
  endpoint: (id: string) => EndpointPort;
  secrets: EndpointSecrets;
  slack: SlackSecretBox;
  ids: CreationIds;
  clock: Clock;
  /** The deployment runs on a loopback host: receivers may, too. */
  local: boolean;
};

export type ShownEndpoint = Omit<EndpointRecord, "secrets_sealed" | "slack"> & {
  signature?: SignatureScheme;
  /** `whpk_…`, newest first. */
  public_keys?: string[];
  slack?: Omit<SlackSettings, "secrets_sealed">;
  secret?: string;
};

const UNREADABLE = problem(
  "internal",
  "The endpoint's secret cannot be opened: PORTCULLIS_SECRET is not the one that sealed it.",
);
const UNTOLD = problem(
  "unavailable",
  "The change is saved, but deliveries under way do not know it yet. Repeat the call.",
);
/** What an endpoint asks for. */
export const eventFilter = z
  .enum(EVENT_FILTERS as [EventFilter, ...EventFilter[]])
  .meta({ id: "EventFilter" });
const events = z
  .array(eventFilter)
  .min(1)
  .max(EVENT_FILTERS.length)
  .describe("Types, families (`grant.*`) or everything (`*`).");
const url = z.string().describe("https, a public host name, port 443 or 8443.");
const description = z.string().max(200);

const NO_SECRET = "decisions are signed with a secret that both sides have; it needs `signature: hmac`";

export const createSchema = z
  .strictObject({
    url,
    events,
    description: description.exactOptional(),
    signature: z
      .enum(["hmac", "ed25519"])
      .default("hmac")
      .describe("A secret that both sides have, or a key of which receivers get the public half."),
    reviews_as: reviewsAsSchema
      .exactOptional()
      .describe("Lets the holder of the secret send signed decisions."),
    slack: slackSchema.exactOptional().describe("Sends messages of Slack instead of Standard Webhooks."),
  })
  .refine((e) => !e.reviews_as || e.signature === "hmac", { path: ["reviews_as"], message: NO_SECRET })
  .refine((e) => !e.slack || !e.reviews_as, {
    path: ["reviews_as"],
    message: "a Slack endpoint has slack.approvers instead",
  });

export const updateSchema = z
  .strictObject({
    url: url.exactOptional(),
    events: events.exactOptional(),
    description: description.nullable().exactOptional(),
    reviews_as: reviewsAsSchema.nullable().exactOptional(),
    slack: slackSchema.exactOptional(),
    enabled: z.boolean().exactOptional(),
  })
  .refine((patch) => Object.keys(patch).length > 0, "name at least one member to change");

/** `idFor` gives what is created its id, the same one for a call that is repeated. */
export async function createEndpoint(
  deps: ManageDeps,
  actor: Actor,
  idFor: (body: unknown) => Promise<Result<{ id: string }>>,
  { signature, slack, ...body }: z.output<typeof createSchema>,
): Promise<Result<ShownEndpoint>> {
  const allowed = checkAuthority(actor, body.reviews_as, slack);
  if (!allowed.ok) return allowed;
  const url = slack ? checkSlackUrl(body.url, slack, deps) : checkWebhookUrl(body.url, deps);
  if (!url.ok) return url;
  const creation = await idFor({ ...body, signature, slack });
  if (!creation.ok) return creation;
  const { id } = creation.value;
  const created = await deps.registry.createEndpoint({
    ...body,
    ...(slack ? { slack: await deps.slack.seal(id, slack) } : {}),
    id,
    url: url.value,
    events: [...new Set(body.events)],
    secrets_sealed: [await deps.secrets.create(id, signature)],
    enabled: true,
    created_at: epochSeconds(deps.clock()),
    revision: 1,
  });
  if (!created.ok) return created;
  // A repeated creation answers what the first one did, unless the endpoint was changed since.
  return created.value.revision === 1 ? withSecret(deps, created.value) : presented(created);
}

export async function updateEndpoint(
  deps: ManageDeps,
  actor: Actor,
  record: EndpointRecord,
  { slack, ...body }: z.output<typeof updateSchema>,
  ifMatch?: number,
): Promise<Result<EndpointRecord>> {
  const { id } = record;
  const kind = checkKind(record, { ...body, ...(slack ? { slack } : {}) });
  if (!kind.ok) return kind;
  // Enabling an endpoint that reviews hands its authority out again.
  const kept = body.enabled && body.reviews_as === undefined ? record.reviews_as : undefined;
  const keptSlack = body.enabled && slack === undefined ? record.slack : undefined;
  const allowed = checkAuthority(actor, body.reviews_as ?? kept, slack ?? keptSlack);
  if (!allowed.ok) return allowed;
  const url = checkNewUrl(record, body.url, slack, deps);
  if (!url.ok) return url;
  const patch = {
    ...body,
    ...(url.value === null ? {} : { url: url.value }),
    ...(slack ? { slack: await deps.slack.seal(id, slack) } : {}),
  };
  const updated = await deps.registry.updateEndpoint(id, patch, ifMatch);
  if (!updated.ok) return updated;
  const told = await deps.endpoint(id).configure(configOf(updated.value));
  if (told.ok) return updated;
  return err(told.error.code === "gone" ? told.error : UNTOLD);
}

export async function deleteEndpoint(deps: ManageDeps, { id }: EndpointRecord) {
  // The object first: should the second call fail, the endpoint is still there to be deleted again.
  const removed = await deps.endpoint(id).remove();
  return removed.ok ? deps.registry.deleteEndpoint(id) : removed;
}

export async function rotateSecret(
  deps: ManageDeps,
  actor: Actor,
  { id, reviews_as, slack, secrets_sealed }: EndpointRecord,
): Promise<Result<ShownEndpoint>> {
  if (slack)
    return err(problem("conflict", "Slack's secrets are made by Slack: PATCH `slack` with the new ones."));
  // Whoever sees the new secret can review with it.
  const allowed = checkAuthority(actor, reviews_as, undefined);
  if (!allowed.ok) return allowed;
  const rotated = await deps.registry.rotateEndpointSecret(
    id,
    await deps.secrets.create(id, schemeOf(secrets_sealed[0]!)),
  );
  if (!rotated.ok) return rotated;
  // The answer is not looked at: the next event brings the object the new secret too, and a repeated
  // rotation would drop the one that receivers still have.
  await deps.endpoint(id).configure(configOf(rotated.value));
  return withSecret(deps, rotated.value);
}

/** The only two answers that show a secret: creation and rotation. */
async function withSecret({ secrets }: ManageDeps, record: EndpointRecord): Promise<Result<ShownEndpoint>> {
  // A public key is no secret: every answer shows it. Slack has its own.
  if (record.slack || schemeOf(record.secrets_sealed[0]!) === "ed25519") return ok(presentEndpoint(record));
  const [newest] = await secrets.open(record.id, record.secrets_sealed.slice(0, 1));
  if (!newest) return err(UNREADABLE);
  return ok({ ...presentEndpoint(record), secret: shownSecret(newest) });
}

function checkAuthority(
  actor: Actor,
  handedOut: ReviewsAs | null | undefined,
  slack: Pick<SlackSettings, "approvers"> | undefined,
): Result<null> {
  const people = Object.values(slack?.approvers ?? {});
  const authorities = handedOut ? [handedOut] : [];
  for (const { subject, roles } of people) authorities.push({ roles, subjects: [subject] });
  for (const authority of authorities) {
    const allowed = checkHandOut(actor, authority);
    if (!allowed.ok) return allowed;
  }
  return ok(null);
}

/** An endpoint stays what it was created as; the address of a Slack one is Slack's. */
function checkKind(record: EndpointRecord, body: z.output<typeof updateSchema>): Result<null> {
  if (body.slack && !record.slack) {
    return err(
      problem("conflict", "slack: this endpoint takes Standard Webhooks; create another for Slack."),
    );
  }
  if (!body.reviews_as) return ok(null);
  if (record.slack)
    return err(problem("conflict", "reviews_as: a Slack endpoint has slack.approvers instead."));
  return schemeOf(record.secrets_sealed[0]!) === "hmac"
    ? ok(null)
    : err(problem("conflict", `reviews_as: ${NO_SECRET}`));
}

/** The normalised URL where one is given; null where it stays. New settings are held against the URL that stays. */
function checkNewUrl(
  record: EndpointRecord,
  url: string | undefined,
  slack: SlackInput | undefined,
  deps: ManageDeps,
): Result<string | null> {
  if (!record.slack) return url === undefined ? ok(null) : checkWebhookUrl(url, deps);
  if (url === undefined && !slack) return ok(null);
  return checkSlackUrl(url ?? record.url, slack ?? record.slack, deps);
}

/** The wire form: everything but what signs. */
export function presentEndpoint(record: EndpointRecord): ShownEndpoint {
  const { secrets_sealed: sealed, slack, ...shown } = record;
  if (slack) {
    const { secrets_sealed: _secrets, ...settings } = slack;
    return { ...shown, slack: settings };
  }
  const keys = publicKeysOf(sealed);
  return { ...shown, signature: schemeOf(sealed[0] ?? ""), ...(keys.length ? { public_keys: keys } : {}) };
}

export function presented(result: Result<EndpointRecord>): Result<ShownEndpoint> {
  return result.ok ? ok(presentEndpoint(result.value)) : result;
}
