import { createHmac } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export const SLACK = {
  signing_secret: "8f742231b10e8888abcd99yyyzzz85a5",
  bot_token: "xoxb-test-0123456789",
};

/** A message as it was posted: by a bot, to an incoming webhook, or to a click's `response_url`. */
export type SlackPost = { path: string; body: SlackMessage };
export type SlackMessage = {
  channel?: string;
  text: string;
  blocks?: { type: string; text?: { text: string }; elements?: SlackButton[] }[];
  replace_original?: boolean;
  response_type?: string;
};
export type SlackButton = { action_id: string; value: string; url?: string };

export type Click = {
  user: string;
  action: string;
  value: string;
  path?: string;
  at?: number;
  secret?: string;
};

/** Slack as an app sees it: takes messages as it documents, and signs clicks with the app's secret. */
export class SlackDouble {
  readonly posts: SlackPost[] = [];
  readonly #server = createServer((request, response) => void this.#handle(request, response));

  static async start(): Promise<SlackDouble> {
    const slack = new SlackDouble();
    await new Promise<void>((resolve) => slack.#server.listen(0, "127.0.0.1", resolve));
    return slack;
  }

  url(path: string): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}${path}`;
  }

  /** The last message at the path that says this. */
  said(path: string, text: string): SlackMessage | undefined {
    return this.posts.findLast((post) => post.path === path && JSON.stringify(post.body).includes(text))
      ?.body;
  }

  /** Somebody clicks: the request that Slack makes, v0-signed; the gate's status and how long it took. */
  async click(gate: { issuer: string }, click: Click): Promise<{ status: number; ms: number }> {
    const { user, action, value, path = "/actions/1", secret = SLACK.signing_secret } = click;
    const payload = {
      type: "block_actions",
      user: { id: user, username: "somebody", team_id: "T1" },
      api_app_id: "A1",
      response_url: path.startsWith("/") ? this.url(path) : path,
      actions: [{ type: "button", block_id: "b", action_id: action, value, action_ts: "1.2" }],
    };
    const body = new URLSearchParams({ payload: JSON.stringify(payload) }).toString();
    const timestamp = String(click.at ?? Math.floor(Date.now() / 1000));
    const digest = createHmac("sha256", secret).update(`v0:${timestamp}:${body}`).digest("hex");
    const headers = {
      "content-type": "application/x-www-form-urlencoded",
      "x-slack-request-timestamp": timestamp,
      "x-slack-signature": `v0=${digest}`,
    };
    const started = Date.now();
    const answer = await fetch(`${gate.issuer}/v1/hooks/slack`, { method: "POST", headers, body });
    await answer.body?.cancel();
    return { status: answer.status, ms: Date.now() - started };
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const path = request.url!;
    if (path === "/api/chat.postMessage" && request.headers.authorization !== `Bearer ${SLACK.bot_token}`) {
      // Slack's way: status 200.
      response.writeHead(200).end('{"ok":false,"error":"invalid_auth"}');
      return;
    }
    this.posts.push({ path, body: JSON.parse(Buffer.concat(chunks).toString("utf8")) });
    response.writeHead(200).end(path.startsWith("/api/") ? '{"ok":true,"ts":"1.2"}' : "ok");
  }
}
