import { channel } from "node:diagnostics_channel";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";

/** Counts what a server of this process receives, without the server's help. */
export class RequestCount {
  total = 0;
  readonly #port: number;
  readonly #received = (message: unknown) => {
    const { server } = message as { server: Server };
    if ((server.address() as AddressInfo | null)?.port === this.#port) this.total += 1;
  };

  constructor(url: string) {
    this.#port = Number(new URL(url).port);
    channel("http.server.request.start").subscribe(this.#received);
  }

  stop(): void {
    channel("http.server.request.start").unsubscribe(this.#received);
  }
}
