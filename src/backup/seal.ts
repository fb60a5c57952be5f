import { SecretBox, type WrappingSecrets } from "../platform/secret-box.ts";
import {
  type BackupTrailer,
  backupKey,
  isPageOf,
  isTrailerOf,
  type PageLine,
  signPage,
  signTrailer,
} from "../protocol/backup.ts";
import { fromUtf8, utf8 } from "../protocol/encoding.ts";

const CURSOR = "backup-cursor";

/** What the deployment's secret says of a backup: that it was made here, and how far it has come. */
export class BackupSeal {
  readonly #keys: Promise<CryptoKey[]>;
  readonly #box: SecretBox;

  constructor(secrets: WrappingSecrets) {
    const { PORTCULLIS_SECRET: current, PORTCULLIS_SECRET_PREVIOUS: previous } = secrets;
    this.#keys = Promise.all((previous ? [current, previous] : [current]).map(backupKey));
    this.#box = new SecretBox(secrets, CURSOR);
  }

  async page(page: Omit<PageLine, "mac" | "next">): Promise<string> {
    return signPage((await this.#keys)[0]!, page);
  }

  async trailer(trailer: Omit<BackupTrailer, "mac">): Promise<string> {
    return signTrailer((await this.#keys)[0]!, trailer);
  }

  isPage(page: PageLine): Promise<boolean> {
    return this.#any((key) => isPageOf(key, page));
  }

  isTrailer(trailer: BackupTrailer): Promise<boolean> {
    return this.#any((key) => isTrailerOf(key, trailer));
  }

  /** Where the next page begins, for somebody who must not change it. */
  closeCursor(position: unknown): Promise<string> {
    return this.#box.seal(utf8(JSON.stringify(position)), CURSOR);
  }

  /** Undefined where it is none of ours. */
  async openCursor(cursor: string): Promise<unknown> {
    const opened = await this.#box.open(cursor, CURSOR);
    const text = opened && fromUtf8(opened);
    return text === undefined ? undefined : JSON.parse(text);
  }

  async #any(verify: (key: CryptoKey) => Promise<boolean>): Promise<boolean> {
    for (const key of await this.#keys) if (await verify(key)) return true;
    return false;
  }
}
