import type { Receipt } from "../../client/portcullis.ts";
import type { Cli } from "../cli.ts";
import { shownMoment } from "../times.ts";

/** Says that something stands, and by when it does so at every edge: what a revocation hits is `refused` there. */
export function showReceipt({ terminal }: Cli, receipt: Receipt, said: string, there = "refused"): void {
  const at = (seconds: number) => `${there} everywhere by ${shownMoment(seconds)}`;
  terminal.result(receipt, () => {
    terminal.say(said);
    const { strict, bounded, eventual } = receipt.effective_by;
    terminal.fields({
      receipt: receipt.id,
      strict: at(strict),
      bounded: at(bounded),
      eventual: at(eventual),
    });
  });
}
