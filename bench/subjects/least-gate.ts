/** The least that a gate in a Worker does, without deciding anything: headers changed both ways, and a time limit. */
const ASSERTION = "a".repeat(600);
const TIME_LIMIT_MS = 30_000;
const STRIPPED = new Set(["authorization", "connection", "host"]);

export default {
  async fetch(request: Request, env: { ORIGIN: string }): Promise<Response> {
    const { url, method, body } = request;
    const headers = headersOf(request);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const answer = await new Promise<Response | undefined>((resolve, reject) => {
      timer = setTimeout(() => resolve(undefined), TIME_LIMIT_MS);
      const init = { method, headers, body, redirect: "manual" } as const;
      fetch(env.ORIGIN + url.slice(url.indexOf("/", 8)), init).then(resolve, reject);
    }).finally(() => clearTimeout(timer));
    return answer ? answerOf(answer, headers["x-request-id"]!) : new Response(null, { status: 504 });
  },
};

function headersOf(request: Request): Record<string, string> {
  const headers: Record<string, string> = {};
  request.headers.forEach((value, name) => {
    if (!STRIPPED.has(name)) headers[name] = value;
  });
  headers["x-request-id"] = "dec_01m81t2ng94yyewg5mydws0000";
  headers["x-forwarded-proto"] = "http";
  headers["x-forwarded-host"] = "127.0.0.1";
  headers["x-portcullis-assertion"] = ASSERTION;
  headers["x-portcullis-subject"] = "staff|user-1";
  headers["x-portcullis-scope"] = "orders:read orders:write";
  return headers;
}

function answerOf(answer: Response, requestId: string): Response {
  const taken: string[] = [];
  answer.headers.forEach((_, name) => {
    if (STRIPPED.has(name)) taken.push(name);
  });
  const changed = new Response(answer.body, answer);
  for (const name of taken) changed.headers.delete(name);
  changed.headers.set("x-request-id", requestId);
  return changed;
}
