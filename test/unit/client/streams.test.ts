import { describe, expect, it } from "vitest";
import { PortcullisUnreachable } from "../../../src/client/portcullis.ts";
import { utf8 } from "../../../src/protocol/encoding.ts";
import { FaultyDeployment, refusal } from "../../support/faulty-deployment.ts";

const OUTCOME = { accepted: 1, unchanged: 0, refused: 0, errors: [] };

/** A body in pieces as they come, which then ends, or breaks off. */
function inPieces(pieces: Uint8Array[], ending: "ends" | "breaks off" = "ends"): ReadableStream<Uint8Array> {
  const rest = [...pieces];
  return new ReadableStream({
    pull(stream) {
      const next = rest.shift();
      if (next) stream.enqueue(next);
      else if (ending === "ends") stream.close();
      else stream.error(new Error("reset"));
    },
  });
}

describe("an import", () => {
  it("sends values, lines and files alike", async () => {
    const values = [{ jti: "a" }, { jti: "b" }];
    const text = '{"jti":"a"}\n{"jti":"b"}\n';
    async function* slowly() {
      for (const value of values) yield value;
    }
    for (const lines of [values, slowly(), text, new Blob([text]), inPieces([utf8(text)])]) {
      const deployment = new FaultyDeployment([Response.json(OUTCOME)]);
      const outcome = await deployment.client().revocations.import(lines, { dry_run: true });
      expect(outcome).toEqual(OUTCOME);
      const [{ path, headers, body } = {}] = deployment.sent;
      expect({ path, body, type: headers?.get("content-type") }).toEqual({
        ...{ path: "/v1/revocations/import?dry_run=true", body: text, type: "application/x-ndjson" },
      });
    }
  });

  it("is read from its source only as it is sent", async () => {
    let made = 0;
    async function* many() {
      for (; made < 1_000_000; made++) yield { jti: `tok_${made}`, reason: "x".repeat(100) };
    }
    const refusing = new FaultyDeployment([refusal(403, "insufficient_scope")]);
    const client = refusing.client({
      fetch: async (_url, init) => {
        const reader = (init.body as ReadableStream<Uint8Array>).getReader();
        await reader.read();
        await reader.cancel();
        return refusal(403, "insufficient_scope");
      },
    });
    await expect(client.revocations.import(many())).rejects.toMatchObject({ code: "insufficient_scope" });
    expect(made).toBeLessThan(5_000);
  });

  it("is not repeated: what was read of its source is gone", async () => {
    const deployment = new FaultyDeployment([], new TypeError("reset"));
    await expect(deployment.client().revocations.import([{ jti: "a" }])).rejects.toBeInstanceOf(
      PortcullisUnreachable,
    );
    expect(deployment.sent).toHaveLength(1);
    const refused = new FaultyDeployment([], () => refusal(401, "invalid_token"));
    const { revocations } = refused.client({ tokenProvider: () => "t" });
    await expect(revocations.import([{ jti: "a" }])).rejects.toMatchObject({ code: "invalid_token" });
    expect(refused.sent).toHaveLength(1);
  });
});

describe("an export", () => {
  it("gives each line as it comes, wherever the pieces were cut", async () => {
    const bytes = utf8('{"jti":"ä"}\n\n{"jti":"b"}\r\n{"jti":"c"}');
    for (const size of [1, 3, 1_000]) {
      const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_none, i) =>
        bytes.slice(i * size, (i + 1) * size),
      );
      const deployment = new FaultyDeployment([new Response(inPieces(pieces))]);
      const seen: unknown[] = [];
      for await (const line of deployment.client().revocations.export()) seen.push(line);
      expect(seen).toEqual([{ jti: "ä" }, { jti: "b" }, { jti: "c" }]);
    }
  });

  it("that breaks off is never taken for whole", async () => {
    const deployment = new FaultyDeployment([new Response(inPieces([utf8('{"jti":"a"}\n')], "breaks off"))]);
    const seen: unknown[] = [];
    const reading = (async () => {
      for await (const line of deployment.client().revocations.export()) seen.push(line);
    })();
    await expect(reading).rejects.toMatchObject({
      name: "PortcullisUnreachable",
      message: expect.stringContaining("broke off"),
    });
    expect(seen).toEqual([{ jti: "a" }]);
    expect(deployment.sent).toHaveLength(1);
  });

  it("is let go of by whoever has seen enough", async () => {
    let cancelled = false;
    const endless = new ReadableStream<Uint8Array>({
      pull: (stream) => stream.enqueue(utf8('{"jti":"a"}\n')),
      cancel: () => {
        cancelled = true;
      },
    });
    const deployment = new FaultyDeployment([new Response(endless)]);
    for await (const _line of deployment.client().revocations.export()) break;
    expect(cancelled).toBe(true);
  });
});

describe("events", () => {
  it("come one by one, with id, type and data; comments and what holds no data are passed over", async () => {
    const text = [
      "retry: 3000\n\n",
      'id: evt_1\nevent: access_request.approved\ndata: {"at":1}\n\n',
      ": waiting\n\n",
      'data: {"a":\r\ndata: 2}\r\n\r\n',
    ].join("");
    const deployment = new FaultyDeployment([new Response(text)]);
    const events: unknown[] = [];
    const { accessRequests } = deployment.client();
    for await (const event of accessRequests.events("req_1", { lastEventId: "evt_0" })) events.push(event);
    expect(events).toEqual([
      { id: "evt_1", type: "access_request.approved", data: { at: 1 } },
      { type: "message", data: { a: 2 } },
    ]);
    expect(deployment.sent[0]?.headers.get("last-event-id")).toBe("evt_0");
  });

  it("of a refused stream are a problem", async () => {
    const deployment = new FaultyDeployment([refusal(404, "not_found")]);
    const first = deployment.client().accessRequests.events("req_1")[Symbol.asyncIterator]().next();
    await expect(first).rejects.toMatchObject({ code: "not_found" });
  });
});
