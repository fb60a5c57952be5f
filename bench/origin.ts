import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Backstage, startNodeOrigin } from "./backstage.ts";
import { whenUp } from "./workerd.ts";

const BODY = JSON.stringify({ id: 42, state: "shipped", lines: [{ sku: "A-1", count: 2 }] });

/**
 * An origin that answers everything with the same small JSON. nginx where it is installed: it takes little of
 * the processor from what is measured, and answers as fast the thousandth time as the first.
 */
export async function startOrigin(folder: string, port: number): Promise<Backstage> {
  if (spawnSync("nginx", ["-v"], { env: withSbin() }).error) {
    console.log("nginx is not installed: the origin is a Node server, and latencies say less");
    return startNodeOrigin(BODY);
  }
  const place = join(folder, "origin");
  mkdirSync(place);
  writeFileSync(join(place, "nginx.conf"), configOf(place, port));
  const arguments_ = ["-e", join(place, "error.log"), "-c", join(place, "nginx.conf")];
  const running = await whenUp(spawn("nginx", arguments_, { stdio: "ignore", env: withSbin() }), port);
  return { port, url: running.url, close: () => void running.stop() };
}

/** Debian's place for it is not on everybody's path. */
function withSbin(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` };
}

/** In one process, so that whoever started it ends it. */
function configOf(place: string, port: number): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `  ${name}_temp_path ${join(place, name)};`,
  );
  return `daemon off;
master_process off;
pid ${join(place, "pid")};
events { worker_connections 512; }
http {
${temporary.join("\n")}
  access_log off;
  keepalive_requests 100000000;
  server {
    listen 127.0.0.1:${port};
    location / { default_type application/json; return 200 '${BODY}'; }
  }
}
`;
}
