import { type ClientRequest, type IncomingMessage, request } from "node:http";

/** A request as it goes over the wire: header fields in order, repeated and spelled as given. */
export type RawRequest = {
  method?: string;
  path: string;
  /** Where it is not that of the address. */
  host?: string;
  headers?: [string, string][];
};

/** Opens a request; the caller writes its body and ends it. */
export function openRaw(issuer: string, raw: RawRequest): ClientRequest {
  const { hostname, port, host: own } = new URL(issuer);
  const { method = "GET", path, host = own, headers = [] } = raw;
  return request({ hostname, port, method, path, headers: [["Host", host], ...headers].flat() });
}

/** Sends a request without a body; the answer's body is still to be read. */
export function sendRaw(issuer: string, raw: RawRequest): Promise<IncomingMessage> {
  return answerOf(openRaw(issuer, raw).end());
}

export function answerOf(sent: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => sent.on("response", resolve).on("error", reject));
}

/** Reads to the end; rejects where the connection breaks before. */
export async function bodyText(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}
