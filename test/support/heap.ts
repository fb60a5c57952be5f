/** What an isolate holds, in bytes: its heap with the garbage in it, and the array buffers beside it. */
export type HeapUse = { heapBytes: number; bufferBytes: number };

type Usage = { usedSize: number; backingStorageSize: number };

const EVERY_MS = 50;

/** Asks a running isolate for its memory again and again, over V8's inspector protocol. */
export class HeapWatch {
  readonly #socket: WebSocket;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #peak: HeapUse = { heapBytes: 0, bufferBytes: 0 };
  #samples = 0;
  #id = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => this.#hear(JSON.parse(String(data))));
    this.#timer = setInterval(() => this.#ask(), EVERY_MS);
  }

  /** @param port where workerd's inspector listens */
  static async on(port: number): Promise<HeapWatch> {
    const answer = await fetch(`http://127.0.0.1:${port}/json`);
    const targets = (await answer.json()) as { id: string; webSocketDebuggerUrl: string }[];
    const target = targets.find(({ id }) => id.startsWith("core:user:"));
    if (!target) throw new Error("the inspector shows no Worker of ours");
    const socket = new WebSocket(`ws://127.0.0.1:${port}/${target.id}`);
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve);
      socket.addEventListener("error", reject);
    });
    return new HeapWatch(socket);
  }

  /** The most that was seen, each for itself. */
  stop(): HeapUse & { samples: number } {
    clearInterval(this.#timer);
    this.#socket.close();
    return { ...this.#peak, samples: this.#samples };
  }

  #ask(): void {
    this.#socket.send(JSON.stringify({ id: ++this.#id, method: "Runtime.getHeapUsage" }));
  }

  #hear({ result }: { result?: Partial<Usage> }): void {
    if (result?.usedSize === undefined) return;
    this.#samples++;
    this.#peak.heapBytes = Math.max(this.#peak.heapBytes, result.usedSize);
    this.#peak.bufferBytes = Math.max(this.#peak.bufferBytes, result.backingStorageSize ?? 0);
  }
}
