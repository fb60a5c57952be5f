import type { WrappingSecrets } from "../platform/secret-box.ts";
import type { EndpointConfig } from "./endpoint.ts";
import { EndpointSecrets } from "./endpoint-secret.ts";
import { SlackSecretBox } from "./slack-settings.ts";

type Sealed = Pick<EndpointConfig, "id" | "secrets_sealed" | "slack">;

/** Seals anew what of an endpoint the deployment's previous secret wraps. */
export class EndpointRewrapper {
  readonly #secrets: EndpointSecrets;
  readonly #slack: SlackSecretBox;

  constructor(secrets: WrappingSecrets) {
    this.#secrets = new EndpointSecrets(secrets);
    this.#slack = new SlackSecretBox(secrets);
  }

  /** The members that change; undefined where nothing is to be done. */
  async rewrap({ id, secrets_sealed, slack }: Sealed): Promise<Omit<Sealed, "id"> | undefined> {
    const secrets = await this.#secrets.rewrap(id, secrets_sealed);
    const settings = slack && (await this.#slack.rewrap(id, slack));
    if (!secrets && !settings) return undefined;
    const sealed = { secrets_sealed: secrets ?? secrets_sealed };
    return settings || slack ? { ...sealed, slack: (settings ?? slack)! } : sealed;
  }
}
