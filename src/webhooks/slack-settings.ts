import { SecretBox, type WrappingSecrets } from "../platform/secret-box.ts";
import { fromUtf8, utf8 } from "../protocol/encoding.ts";
import type { SlackApprover, SlackInput } from "./slack-schema.ts";

/** As stored: the two secrets are sealed together. */
export type SlackSettings = {
  channel?: string;
  approvers: Record<string, SlackApprover>;
  secrets_sealed: string;
};

export type SlackSecrets = { bot_token?: string; signing_secret?: string };

/** Seals and opens what a Slack endpoint keeps secret. */
export class SlackSecretBox {
  readonly #box: SecretBox;

  /** `secrets` are the deployment's. */
  constructor(secrets: WrappingSecrets) {
    this.#box = new SecretBox(secrets, "slack-endpoint");
  }

  async seal(endpointId: string, input: SlackInput): Promise<SlackSettings> {
    const { bot_token, signing_secret, ...open } = input;
    const secrets_sealed = await this.#box.seal(
      utf8(JSON.stringify({ bot_token, signing_secret })),
      endpointId,
    );
    return { ...open, secrets_sealed };
  }

  /** The settings sealed anew, where the previous secret wraps them; else undefined. */
  async rewrap(endpointId: string, settings: SlackSettings): Promise<SlackSettings | undefined> {
    const secrets_sealed = await this.#box.rewrap(settings.secrets_sealed, endpointId);
    return secrets_sealed === undefined ? undefined : { ...settings, secrets_sealed };
  }

  /** Undefined where they were sealed for another endpoint or under another root. */
  async open(endpointId: string, { secrets_sealed }: SlackSettings): Promise<SlackSecrets | undefined> {
    const bytes = await this.#box.open(secrets_sealed, endpointId);
    const text = bytes && fromUtf8(bytes);
    return text === undefined ? undefined : JSON.parse(text);
  }
}
