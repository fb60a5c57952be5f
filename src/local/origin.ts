import type { IncomingMessage, ServerResponse } from "node:http";
import { createRemoteJWKSet, errors, type JWTPayload, jwtVerify } from "jose";
import { type LoopbackServer, listen } from "./loopback-server.ts";

/** Audience of the access tokens and assertions that are meant for the demo origin. */
export const ORIGIN_AUDIENCE = "urn:portcullis:demo-origin";

const ORDERS = [
  { id: "1001", item: "portcullis chain, 12 m", state: "shipped" },
  { id: "1002", item: "winch handle, oak", state: "packed" },
];

type Answer = { status: number; body: Record<string, unknown> };
type Verified = { claims: JWTPayload } | { fault: string };

/**
 * Starts the API that the gate guards in the demo. It answers what it received: method, path, identity
 * headers and the claims of `X-Portcullis-Assertion`, which it verifies with the gate's public keys. What is
 * not under `/public` needs that assertion, so that nobody gets in beside the gate.
 */
export async function startOrigin(options: { port: number; issuer: string }): Promise<LoopbackServer> {
  const keys = createRemoteJWKSet(new URL("/.well-known/jwks.json", options.issuer));
  const verify = async (assertion: string): Promise<Verified> => {
    try {
      const { payload } = await jwtVerify(assertion, keys, {
        issuer: options.issuer,
        audience: ORIGIN_AUDIENCE,
        algorithms: ["ES256"],
        // The gate signs access tokens for this audience, too: those are not assertions.
        typ: "portcullis-assertion+jwt",
      });
      return { claims: payload };
    } catch (fault) {
      return { fault: fault instanceof errors.JOSEError ? fault.code : "the gate's keys cannot be fetched" };
    }
  };
  return listen(options.port, (req, res) => {
    answer(req, verify).then(
      (made) => send(res, made),
      () => send(res, { status: 500, body: { error: "The demo origin failed." } }),
    );
  });
}

async function answer(
  req: IncomingMessage,
  verify: (assertion: string) => Promise<Verified>,
): Promise<Answer> {
  req.resume();
  const path = new URL(req.url ?? "/", "http://origin").pathname;
  const seen = {
    service: "demo origin",
    method: req.method ?? "",
    path,
    authorization_received: req.headers.authorization !== undefined,
    identity: identityHeaders(req),
  };
  if (path.startsWith("/public/")) return { status: 200, body: { ...seen, data: { status: "open to all" } } };

  const assertion = req.headers["x-portcullis-assertion"];
  if (typeof assertion !== "string") {
    return { status: 401, body: { error: "No X-Portcullis-Assertion: come through the gate." } };
  }
  const verified = await verify(assertion);
  if ("fault" in verified) {
    return { status: 401, body: { error: `X-Portcullis-Assertion does not verify: ${verified.fault}.` } };
  }
  const data = dataAt(path, req.method ?? "GET");
  const body = { ...seen, assertion: { verified: true, claims: verified.claims } };
  return data === undefined
    ? { status: 404, body: { ...body, error: "Nothing is here." } }
    : { status: 200, body: { ...body, data } };
}

function dataAt(path: string, method: string): unknown {
  const [collection, id, ...rest] = path.split("/").filter((segment) => segment !== "");
  if (rest.length > 0) return undefined;
  if (collection === "orders" && id === undefined) return method === "POST" ? { accepted: true } : ORDERS;
  if (collection === "orders") return ORDERS.find((order) => order.id === id);
  if (collection === "projects" && id !== undefined) return { id, name: `Project ${id}` };
  if (collection === "me" && id === undefined) return { greeting: "This is what the gate says of you." };
  if (collection === "payouts" && id === undefined) return [{ id: "p-1", amount_cents: 125_000 }];
  return undefined;
}

function identityHeaders(req: IncomingMessage): Record<string, string> {
  const prefix = "x-portcullis-";
  return Object.fromEntries(
    Object.entries(req.headers).flatMap(([name, value]) =>
      name.startsWith(prefix) && name !== `${prefix}assertion`
        ? [[name.slice(prefix.length), String(value)]]
        : [],
    ),
  );
}

function send(res: ServerResponse, { status, body }: Answer): void {
  const text = `${JSON.stringify(body, null, 2)}\n`;
  // An answer whose length nobody knows is one that stays open to the gate, and breaks off where the grant ends.
  const length = String(Buffer.byteLength(text));
  const headers = { "content-type": "application/json", "cache-control": "no-store" };
  res.writeHead(status, { ...headers, "content-length": length }).end(text);
}
