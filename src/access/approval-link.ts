import * as z from "zod";
import { SecretBox, type WrappingSecrets } from "../platform/secret-box.ts";
import { fromUtf8, sha256Hex, utf8 } from "../protocol/encoding.ts";

const CONTEXT = "approval-link";

/** What a link says; nobody but this deployment can read or make it. Times are epoch seconds. */
const linkSchema = z.object({
  access_request_id: z.string(),
  /** What is decided, where it is not the request itself. */
  extension: z.string().exactOptional(),
  approver: z.object({ subject: z.string(), roles: z.array(z.string()) }),
  /** Who had it made. */
  made_by: z.string(),
  expires_at: z.number(),
});

export type ApprovalLink = z.output<typeof linkSchema>;

/**
 * Makes and reads approval links. The text of a link is its content, encrypted and authenticated: nothing of it is
 * stored, and one that was not made here is refused before any object is asked.
 */
export class ApprovalLinks {
  readonly #box: SecretBox;

  /** `secrets` are the deployment's. */
  constructor(secrets: WrappingSecrets) {
    this.#box = new SecretBox(secrets, CONTEXT);
  }

  async make(link: ApprovalLink): Promise<string> {
    return this.#box.seal(utf8(JSON.stringify(link)), CONTEXT);
  }

  async read(text: string): Promise<ApprovalLink | undefined> {
    const bytes = await this.#box.open(text, CONTEXT);
    const content = bytes && fromUtf8(bytes);
    return content === undefined ? undefined : linkSchema.parse(JSON.parse(content));
  }
}

/** The review that a link gives: one for each link, so a link that was used is one whose review is there. */
export async function reviewIdOf(linkText: string): Promise<string> {
  return `rvw_${(await sha256Hex(linkText)).slice(0, 32)}`;
}
