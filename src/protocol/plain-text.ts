/** Printable ASCII that neither starts nor ends with a space: safe in a header, a KV key and a log line. */
export const PLAIN_TEXT = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;
