import { type Clock, epochSeconds } from "../platform/clock.ts";
import type { WrappingSecrets } from "../platform/secret-box.ts";
import type { AttemptOutcome } from "./delivery.ts";
import type { Delivery } from "./delivery-store.ts";
import type { EndpointConfig } from "./endpoint.ts";
import { EndpointSecrets } from "./endpoint-secret.ts";
import { type Posted, sendOnce } from "./sender.ts";
import { signMessage } from "./signature.ts";
import { slackAccepts, slackMessage } from "./slack-message.ts";
import { SlackSecretBox, type SlackSettings } from "./slack-settings.ts";
import { checkWebhookUrl } from "./url-guard.ts";

/** What one attempt posts, in the form that the endpoint takes: Standard Webhooks, or a message of Slack. */
export class Outgoing {
  readonly #secrets: EndpointSecrets;
  readonly #slack: SlackSecretBox;
  readonly #clock: Clock;

  /** `secrets` are the deployment's. */
  constructor(secrets: WrappingSecrets, clock: Clock) {
    this.#secrets = new EndpointSecrets(secrets);
    this.#slack = new SlackSecretBox(secrets);
    this.#clock = clock;
  }

  /** One attempt. Never rejects for what a receiver does. */
  async send(
    { delivery, endpoint }: { delivery: Delivery; endpoint: EndpointConfig },
    { local, issuer }: { local: boolean; issuer: string },
  ): Promise<AttemptOutcome> {
    // Checked again: what is stored may have been allowed by another deployment's rules.
    const url = checkWebhookUrl(endpoint.url, { local });
    if (!url.ok) return { error: "url_refused" };
    const posted = endpoint.slack
      ? await this.#toSlack(delivery, endpoint.id, endpoint.slack, issuer)
      : await this.#signed(delivery, endpoint);
    if (!posted) return { error: "secret_unreadable" };
    return sendOnce({ ...posted, url: url.value }, this.#clock);
  }

  async #signed(
    delivery: Delivery,
    { id, secrets_sealed }: EndpointConfig,
  ): Promise<Omit<Posted, "url"> | undefined> {
    const signers = await this.#secrets.signers(id, secrets_sealed);
    if (signers.length === 0) return undefined;
    const message = { id: delivery.event_id, body: delivery.body };
    const headers = await signMessage(message, signers, epochSeconds(this.#clock()));
    return { headers, body: delivery.body };
  }

  async #toSlack(
    delivery: Delivery,
    endpointId: string,
    settings: SlackSettings,
    issuer: string,
  ): Promise<Omit<Posted, "url"> | undefined> {
    const secrets = await this.#slack.open(endpointId, settings);
    if (!secrets) return undefined;
    const event = JSON.parse(delivery.body);
    const body = JSON.stringify(slackMessage(event, endpointId, settings, issuer));
    if (secrets.bot_token === undefined) return { headers: {}, body };
    const headers = { authorization: `Bearer ${secrets.bot_token}` };
    // chat.postMessage answers 200 with `ok: false` where it did not post.
    return { headers, body, accepts: slackAccepts };
  }
}
