import { createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** How a receiver fails. `huge` and `drip` begin with a good status line; the others never say one, or a bad one. */
export type Failing =
  | "status_500"
  | "gone_410"
  | "too_many_429"
  | "redirect_307"
  | "hang"
  | "drip"
  | "drip_status"
  | "huge"
  | "reset";

const HUGE_BYTES = 100 * 1024 * 1024;
const CHUNK = Buffer.alloc(64 * 1024, "x");

/** A receiver that fails in one way, on a bare socket, so that no HTTP server mends what it sends. */
export class DeadReceiver {
  /** Posts that came. */
  posts = 0;
  /** What was taken from it, of answers that are larger than anybody wants. */
  bytesSent = 0;
  readonly #failing: Failing;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  private constructor(failing: Failing, redirectTo: string) {
    this.#failing = failing;
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => this.#sockets.delete(socket));
      socket.on("data", (data) => {
        if (!data.includes("POST ")) return;
        this.posts++;
        void this.#answer(socket, redirectTo).catch(() => {});
      });
    });
  }

  static async start(failing: Failing, redirectTo: string): Promise<DeadReceiver> {
    const receiver = new DeadReceiver(failing, redirectTo);
    await new Promise<void>((resolve) => receiver.#server.listen(0, "127.0.0.1", resolve));
    return receiver;
  }

  get url(): string {
    const address = this.#server.address() as { port: number };
    return `http://127.0.0.1:${address.port}/hook`;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(socket: Socket, redirectTo: string): Promise<void> {
    const empty = "content-length: 0\r\nconnection: close\r\n\r\n";
    switch (this.#failing) {
      case "status_500":
        return void socket.end(`HTTP/1.1 500 No\r\n${empty}`);
      case "gone_410":
        return void socket.end(`HTTP/1.1 410 Gone\r\n${empty}`);
      case "too_many_429":
        return void socket.end(`HTTP/1.1 429 Slowly\r\nretry-after: 120\r\n${empty}`);
      case "redirect_307":
        return void socket.end(`HTTP/1.1 307 There\r\nlocation: ${redirectTo}\r\n${empty}`);
      case "hang":
        return;
      case "drip":
        return this.#drip(socket, "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n");
      case "drip_status":
        return this.#drip(socket, "");
      case "huge":
        return this.#huge(socket);
      case "reset":
        socket.write("HTTP/1.1 200 O");
        await sleep(20);
        return void socket.resetAndDestroy();
    }
  }

  /** One byte a second after the beginning. */
  async #drip(socket: Socket, beginning: string): Promise<void> {
    socket.write(beginning);
    for (const byte of "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".repeat(10)) {
      if (socket.destroyed) return;
      socket.write(byte);
      await sleep(1_000);
    }
  }

  async #huge(socket: Socket): Promise<void> {
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${HUGE_BYTES}\r\n\r\n`);
    while (this.bytesSent < HUGE_BYTES && !socket.destroyed) {
      const more = socket.write(CHUNK);
      this.bytesSent += CHUNK.length;
      if (more) continue;
      await new Promise((resolve) => {
        socket.once("drain", resolve);
        socket.once("close", resolve);
      });
    }
    socket.end();
  }
}
