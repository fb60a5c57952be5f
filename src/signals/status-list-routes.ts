import { Hono } from "hono";
import { type HttpEnv, refuse } from "../platform/http.ts";
import { problem } from "../protocol/problem.ts";
import type { Result } from "../protocol/result.ts";
import { STATUS_LIST_MEDIA_TYPE } from "../protocol/status-list.ts";
import { KEPT_SECONDS } from "./status-list-token.ts";

export type StatusListDeps = { statusList: { list(list: number): Promise<Result<string>> } };

const NUMBER = /^(?:0|[1-9]\d{0,5})$/;

/** `/v1/status-lists/{n}`: for everybody who verifies tokens of ours where the gate is not. */
export function statusListRoutes({ statusList }: StatusListDeps) {
  return new Hono<HttpEnv>().get("/v1/status-lists/:n", async (c) => {
    const n = c.req.param("n");
    if (!NUMBER.test(n)) return refuse(c, problem("not_found", "There is no such status list."));
    const token = await statusList.list(Number(n));
    if (!token.ok) return refuse(c, token.error);
    const headers = {
      "content-type": STATUS_LIST_MEDIA_TYPE,
      "cache-control": `public, max-age=${KEPT_SECONDS}`,
      "access-control-allow-origin": "*",
    };
    return c.body(token.value, 200, headers);
  });
}
