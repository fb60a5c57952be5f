import { type RandomBytes, secureRandom } from "../platform/ids.ts";
import { SecretBox } from "../platform/secret-box.ts";
import { SECRET_BYTES } from "./signature.ts";

/** Makes, seals and opens the signing secrets of endpoints. Only sealed ones are stored. */
export class EndpointSecrets {
  readonly #box: SecretBox;
  readonly #random: RandomBytes;

  /** `secret` is the deployment's. */
  constructor(secret: string, random: RandomBytes = secureRandom) {
    this.#box = new SecretBox(secret, "webhook-endpoint");
    this.#random = random;
  }

  /** A new secret, sealed for the registry. */
  create(endpointId: string): Promise<string> {
    return this.#box.seal(this.#random(SECRET_BYTES), endpointId);
  }

  /** The secrets in the order given, without those that cannot be opened (sealed under another root). */
  async open(endpointId: string, sealed: readonly string[]): Promise<Uint8Array<ArrayBuffer>[]> {
    const opened = await Promise.all(sealed.map((one) => this.#box.open(one, endpointId)));
    return opened.filter((bytes) => bytes !== undefined);
  }
}
