import { type RandomBytes, secureRandom } from "../platform/ids.ts";
import { SecretBox, type WrappingSecrets } from "../platform/secret-box.ts";
import { SECRET_BYTES } from "./signature.ts";

/** Makes, seals and opens the signing secrets of endpoints. Only sealed ones are stored. */
export class EndpointSecrets {
  readonly #box: SecretBox;
  readonly #random: RandomBytes;

  constructor(secrets: WrappingSecrets, random: RandomBytes = secureRandom) {
    this.#box = new SecretBox(secrets, "webhook-endpoint");
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

  /** The secrets sealed anew, where one of them is sealed with the deployment's previous secret; else undefined. */
  async rewrap(endpointId: string, sealed: readonly string[]): Promise<string[] | undefined> {
    const anew = await Promise.all(sealed.map((one) => this.#box.rewrap(one, endpointId)));
    return anew.some(Boolean) ? anew.map((one, i) => one ?? sealed[i]!) : undefined;
  }
}
