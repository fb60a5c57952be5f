import { execFileSync, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Asymmetric, BenchIssuer } from "./tokens.ts";
import { type Running, whenUp } from "./workerd.ts";

/** The version that is installed; undefined where none is. */
export function haproxyVersion(): string | undefined {
  try {
    return /version (\S+)/.exec(execFileSync("haproxy", ["-v"], { encoding: "utf8" }))?.[1];
  } catch {
    return undefined;
  }
}

/** HAProxy before the origin with one thread; with an algorithm, it verifies the token's signature. */
export async function startHaproxy(options: {
  folder: string;
  port: number;
  originPort: number;
  issuer: BenchIssuer;
  verify?: Asymmetric;
}): Promise<Running> {
  const { folder, port, originPort, issuer, verify } = options;
  const name = `haproxy-${verify ?? "pass"}`;
  const pem = join(folder, `${name}.pem`);
  if (verify) writeFileSync(pem, issuer.pem(verify));
  const checks = verify
    ? `  http-request set-var(txn.bearer) http_auth_bearer
  http-request set-var(txn.alg) var(txn.bearer),jwt_header_query('$.alg')
  http-request deny deny_status 401 unless { var(txn.alg) -m str ${verify} }
  http-request deny deny_status 401 unless { var(txn.bearer),jwt_verify(txn.alg,"${pem}") -m int 1 }`
    : "";
  const file = join(folder, `${name}.cfg`);
  writeFileSync(
    file,
    `global
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend in
  bind 127.0.0.1:${port}
${checks}
  default_backend origin
backend origin
  http-reuse always
  server origin 127.0.0.1:${originPort}
`,
  );
  return whenUp(spawn("haproxy", ["-db", "-f", file], { stdio: "ignore" }), port);
}
