import { type Clock, epochSeconds } from "../platform/clock.ts";
import { SecretBox, type WrappingSecrets } from "../platform/secret-box.ts";
import { fromUtf8, utf8 } from "../protocol/encoding.ts";
import type { Json } from "../protocol/json.ts";
import type { Result } from "../protocol/result.ts";
import { SET_MEDIA_TYPE, SET_TYPE } from "../protocol/security-event.ts";
import type { STATUS_LIST_TYPE } from "../protocol/status-list.ts";
import type { Claimed } from "../webhooks/courier.ts";
import type { AttemptOutcome } from "../webhooks/delivery.ts";
import type { EndpointConfig } from "../webhooks/endpoint.ts";
import { sendOnce } from "../webhooks/sender.ts";
import { checkWebhookUrl } from "../webhooks/url-guard.ts";
import type { StreamEvent } from "./stream-event.ts";

export type StatementPort = {
  signStatement(statement: {
    typ: typeof SET_TYPE | typeof STATUS_LIST_TYPE;
    claims: { [member: string]: Json };
    until: number;
  }): Promise<Result<string>>;
};

type SenderOptions = { keyring: StatementPort; secrets: WrappingSecrets; clock: Clock };

/** A receiver looks at a token soon after it has it; our key is published for this long at least. */
const VERIFIED_WITHIN_SECONDS = 86_400;

/** Signs security event tokens and pushes them (RFC 8935). Signed when they are sent: keys change while some wait. */
export class StreamSender {
  readonly #o: SenderOptions;
  readonly #box: SecretBox;

  constructor(options: SenderOptions) {
    this.#o = options;
    this.#box = new SecretBox(options.secrets, "signal-stream");
  }

  /** The claims of an event's token, as they are stored until it is acknowledged. */
  bodyOf(
    { uri, payload, sub_id, txn }: StreamEvent,
    { jti, aud, issuer }: { jti: string; aud: string; issuer: string },
  ): string {
    const iat = epochSeconds(this.#o.clock());
    return JSON.stringify({
      iss: issuer,
      aud,
      iat,
      jti,
      sub_id,
      ...(txn === undefined ? {} : { txn }),
      events: { [uri]: payload },
    });
  }

  sign(body: string): Promise<Result<string>> {
    const until = epochSeconds(this.#o.clock()) + VERIFIED_WITHIN_SECONDS;
    return this.#o.keyring.signStatement({ typ: SET_TYPE, claims: JSON.parse(body), until });
  }

  seal(header: string, streamId: string): Promise<string> {
    return this.#box.seal(utf8(header), streamId);
  }

  /** The header sealed anew, where the previous secret wraps it. */
  async rewrap({ id, secrets_sealed: [sealed] }: EndpointConfig): Promise<string[] | undefined> {
    const anew = sealed === undefined ? undefined : await this.#box.rewrap(sealed, id);
    return anew === undefined ? undefined : [anew];
  }

  /** One attempt. Never rejects. */
  async send({ delivery, endpoint }: Claimed, local: boolean): Promise<AttemptOutcome> {
    const url = checkWebhookUrl(endpoint.url, { local });
    if (!url.ok) return { error: "url_refused" };
    const [sealed] = endpoint.secrets_sealed;
    const opened = sealed === undefined ? undefined : await this.#box.open(sealed, endpoint.id);
    const authorization = opened && fromUtf8(opened);
    if (sealed !== undefined && authorization === undefined) return { error: "secret_unreadable" };
    const set = await this.sign(delivery.body);
    if (!set.ok) return { error: "not_signed" };
    const headers = {
      "content-type": SET_MEDIA_TYPE,
      accept: "application/json",
      ...(authorization === undefined ? {} : { authorization }),
    };
    return sendOnce({ url: url.value, headers, body: set.value }, this.#o.clock);
  }
}
