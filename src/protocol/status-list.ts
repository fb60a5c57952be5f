import { base64url } from "./encoding.ts";

/** `typ` of a Token Status List (draft-ietf-oauth-status-list §5.1). */
export const STATUS_LIST_TYPE = "statuslist+jwt";
export const STATUS_LIST_MEDIA_TYPE = `application/${STATUS_LIST_TYPE}`;

/** Where a token's status is told (§6.2). */
export type StatusReference = { idx: number; uri: string };

/** Marks an index as INVALID (§7.1), of one bit each: the first is the lowest bit of the first byte (§4.1). */
export function setInvalid(bytes: Uint8Array, index: number): void {
  bytes[index >> 3]! |= 1 << (index & 7);
}

/** `lst`: the bytes in the ZLIB format (RFC 1950), base64url (§4.2). */
export async function compressList(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const { readable, writable } = new CompressionStream("deflate");
  const writer = writable.getWriter();
  const [compressed] = await Promise.all([
    new Response(readable).arrayBuffer(),
    writer.write(bytes),
    writer.close(),
  ]);
  return base64url(new Uint8Array(compressed));
}
