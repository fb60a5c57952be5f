import { hash } from "node:crypto";
import { createReadStream, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { verifyExport } from "../protocol/audit-verifier.ts";

const USAGE = "node src/local/audit-verify.ts [--key <verifier key>] [--anchor <file>]… <export.ndjson>";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { key: { type: "string" }, anchor: { type: "string", multiple: true, default: [] } },
});
const [path] = positionals;
if (path === undefined || positionals.length > 1) {
  console.error(USAGE);
  process.exit(2);
}

const lines = createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY });
const verdict = await verifyExport(lines, {
  anchors: values.anchor.map((file) => readFileSync(file, "utf8")),
  sha256: (data) => hash("sha256", data, "buffer"),
  ...(values.key === undefined ? {} : { verifierKey: values.key }),
});
console.log(JSON.stringify(verdict));
if (verdict.intact) {
  const trust = values.key === undefined ? " by the key that the export itself names" : "";
  console.error(`Whole and unchanged: records ${verdict.from} to ${verdict.size - 1}, signed${trust}.`);
} else {
  console.error(`NOT intact: record ${verdict.seq}, line ${verdict.line}: ${verdict.fault}.`);
  process.exitCode = 1;
}
