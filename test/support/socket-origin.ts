import { createHash } from "node:crypto";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";

/** RFC 6455 §1.3. */
const HANDSHAKE_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const CLOSE = 8;

/** An origin of WebSockets (RFC 6455) that sends back what it gets; short frames only. */
export class SocketOrigin {
  readonly handshakes: IncomingHttpHeaders[] = [];
  /** The codes of the close frames that came in, in order. */
  readonly closedWith: number[] = [];
  readonly #server = createServer((_request, response) => response.writeHead(426).end());
  readonly #sockets = new Set<Duplex>();

  static async start(): Promise<SocketOrigin> {
    const origin = new SocketOrigin();
    origin.#server.on("upgrade", ({ headers }, socket) => origin.#accept(headers, socket));
    await new Promise<void>((resolve) => origin.#server.listen(0, "127.0.0.1", resolve));
    return origin;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(headers: IncomingHttpHeaders, socket: Duplex): void {
    this.handshakes.push(headers);
    this.#sockets.add(socket);
    socket.on("error", () => {}).on("close", () => this.#sockets.delete(socket));
    const protocol = headers["sec-websocket-protocol"]?.split(",")[0]?.trim();
    const lines = [
      ...["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"],
      `Sec-WebSocket-Accept: ${acceptOf(headers["sec-websocket-key"] ?? "")}`,
      ...(protocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]),
    ];
    socket.write(`${lines.join("\r\n")}\r\n\r\n`);
    let rest = Buffer.alloc(0);
    socket.on("data", (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      for (let frame = readFrame(rest); frame; frame = readFrame(rest)) {
        rest = rest.subarray(frame.length);
        socket.write(frameOf(frame.opcode, frame.payload));
        if (frame.opcode !== CLOSE) continue;
        this.closedWith.push(frame.payload.length < 2 ? 1005 : frame.payload.readUInt16BE(0));
        socket.end();
      }
    });
  }
}

function acceptOf(key: string): string {
  return createHash("sha1")
    .update(key + HANDSHAKE_GUID)
    .digest("base64");
}

/** A client's frame: masked, at most 125 bytes. */
function readFrame(bytes: Buffer): { opcode: number; payload: Buffer; length: number } | undefined {
  if (bytes.length < 6) return undefined;
  const size = bytes[1]! & 0x7f;
  const length = 6 + size;
  if (bytes.length < length) return undefined;
  const mask = bytes.subarray(2, 6);
  const payload = Buffer.from(bytes.subarray(6, length).map((byte, i) => byte ^ mask[i % 4]!));
  return { opcode: bytes[0]! & 0x0f, payload, length };
}

function frameOf(opcode: number, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0x80 | opcode, payload.length]), payload]);
}
