import type { ExportLine, PrunedLine, RecordLine } from "../protocol/audit-export.ts";
import type { Result } from "../protocol/result.ts";
import { type ExportPlan, recordOf } from "./audit-view.ts";
import { type OcsfEvent, ocsfEvent } from "./ocsf.ts";

export type ExportPort = {
  exportFrom(from: number): Promise<Result<ExportPlan>>;
  lines(from: number, limit: number): Promise<Result<(RecordLine | PrunedLine)[]>>;
};

/** Records that one call fetches. */
const PAGE = 500;

/** The lines of an export in their order. What cannot be read any more breaks the stream off: it has an end to be missed. */
export async function* exportLines(audit: ExportPort, plan: ExportPlan): AsyncGenerator<ExportLine> {
  const { header } = plan;
  const checkpoints = plan.checkpoints.values();
  let next = checkpoints.next();
  yield header;
  if (header.from === header.size && next.value) yield { checkpoint: next.value.note };
  for (let at = header.from; at < header.size; ) {
    const page = await audit.lines(at, Math.min(PAGE, header.size - at));
    if (!page.ok) throw new Error(page.error.detail);
    for (const line of page.value) {
      yield line;
      at = line.seq + 1;
      for (; next.value && next.value.size <= at; next = checkpoints.next())
        yield { checkpoint: next.value.note };
    }
  }
}

/** The records that have their text, as events of OCSF; what only proves something is left out. */
export async function* ocsfEvents(lines: AsyncGenerator<ExportLine>): AsyncGenerator<OcsfEvent> {
  for await (const line of lines) {
    if ("leaf" in line) yield ocsfEvent(recordOf(line.leaf, line.disclosures));
  }
}

/** The lines as NDJSON. */
export function ndjson(lines: AsyncGenerator<unknown>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    async pull(controller) {
      let text = "";
      while (text.length < 64 * 1024) {
        const { done, value } = await lines.next();
        if (done) {
          if (text) controller.enqueue(encoder.encode(text));
          return controller.close();
        }
        text += `${JSON.stringify(value)}\n`;
      }
      controller.enqueue(encoder.encode(text));
    },
    cancel: () => void lines.return(undefined),
  });
}
