import type { SecretBox } from "../platform/secret-box.ts";
import { fromUtf8, utf8 } from "../protocol/encoding.ts";

/** What we give out to get it back unchanged; in between nobody can read it. `expires_at` is epoch seconds. */
export class Sealed<T extends { expires_at: number }> {
  readonly #box: SecretBox;

  constructor(box: SecretBox) {
    this.#box = box;
  }

  /** `context` must be known again when it is opened. */
  seal(value: T, context: string): Promise<string> {
    return this.#box.seal(utf8(JSON.stringify(value)), context);
  }

  /** Undefined where it was not sealed here for this context, or is over. */
  async open(text: string, context: string, nowSeconds: number): Promise<T | undefined> {
    const bytes = await this.#box.open(text, context);
    const json = bytes && fromUtf8(bytes);
    const value: T | undefined = json === undefined ? undefined : JSON.parse(json);
    return value && value.expires_at > nowSeconds ? value : undefined;
  }
}
