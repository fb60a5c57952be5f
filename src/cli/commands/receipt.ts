import type { Receipt } from "../../client/portcullis.ts";
import type { Cli } from "../cli.ts";
import { shownMoment } from "../times.ts";

/** Says that a revocation stands, and by when every edge refuses what it hits. */
export function showReceipt({ terminal }: Cli, receipt: Receipt, said: string): void {
  terminal.result(receipt, () => {
    terminal.line(said);
    const { strict, bounded, eventual } = receipt.effective_by;
    terminal.fields({
      receipt: receipt.id,
      strict: at(strict),
      bounded: at(bounded),
      eventual: at(eventual),
    });
  });
}

function at(seconds: number): string {
  return `refused everywhere by ${shownMoment(seconds)}`;
}
