/** A call of the control plane; the body is latin1, so that every byte is one character. */
export type HostileCall = { method: string; path: string; body?: string; type?: string; headers?: string[] };

/** Every path of the control plane that has an id in it, and how it is called. */
const WITH_ID = [
  ...["GET", "POST"].map((method) => [method, "/v1/links/:id"]),
  ...["cancel", "token", "reviews", "links", "events"].map((end) => [
    "POST",
    `/v1/access-requests/:id/${end}`,
  ]),
  ...["", "/events"].map((end) => ["GET", `/v1/access-requests/:id${end}`]),
  ...["revoke", "extend", "return"].map((end) => ["POST", `/v1/grants/:id/${end}`]),
  ["GET", "/v1/grants/:id"],
  ["GET", "/v1/revocations/:id"],
  ["POST", "/v1/revocations/:id/confirm"],
  ["DELETE", "/v1/revocations/:id"],
  ["GET", "/v1/sessions/:id"],
  ["POST", "/v1/sessions/:id/revoke"],
  ["GET", "/v1/policy/versions/:id"],
  ["POST", "/v1/policy/versions/:id/activate"],
  ["GET", "/v1/clients/:id"],
  ["PATCH", "/v1/clients/:id"],
  ["DELETE", "/v1/clients/:id"],
  ["POST", "/v1/clients/:id/rotate-secret"],
  ["GET", "/v1/webhook-endpoints/:id"],
  ["GET", "/v1/webhook-endpoints/:id/deliveries"],
  ["PATCH", "/v1/webhook-endpoints/:id"],
  ["DELETE", "/v1/webhook-endpoints/:id"],
  ...["test", "rotate-secret", "redeliver"].map((end) => ["POST", `/v1/webhook-endpoints/:id/${end}`]),
  ["POST", "/v1/deliveries/:id/redeliver"],
] as [method: string, path: string][];

const PREFIXES = ["req", "grt", "rev", "ses", "cli", "whe", "dlv", "evt", "ver", "log"];
const ULID = "01kaxk2v3y0000000000000000";

/** What is no id, or one of nothing. */
const IDS = [
  ...PREFIXES.map((prefix) => `${prefix}_${ULID}`),
  ...["0", "-1", "1e9", "NaN", "9007199254740993", "99999999999999999999", "null", "undefined", "__proto__"],
  ...[
    "constructor",
    "toString",
    "*",
    "%00",
    "%2e%2e",
    "%2f",
    "%252f",
    "%ff",
    "%c3%a9",
    "%F0%9F%98%80",
    "%27%20OR%201=1--",
  ],
  ...[
    `req_${ULID}%00`,
    `req_${ULID.toUpperCase()}`,
    `req_${ULID}.whe_${ULID}`,
    "req_",
    "_",
    "%",
    "%zz",
    "a".repeat(600),
  ],
];

const LISTS = [
  "access-requests",
  "grants",
  "revocations",
  "sessions",
  "clients",
  "webhook-endpoints",
  "policy/versions",
];
const QUERIES = [
  ...[
    "cursor=",
    "cursor=x",
    "cursor=%00",
    `cursor=${"a".repeat(2_000)}`,
    "cursor=a&cursor=b",
    "cursor=__proto__",
  ],
  ...[
    "cursor=eyJhIjoxfQ",
    "cursor=W10",
    "cursor=bnVsbA",
    "cursor=%ff",
    "limit=0",
    "limit=-1",
    "limit=1e99",
    "limit=abc",
  ],
  ...[
    "limit=201",
    "limit=1&limit=2",
    "limit=",
    "state=%00",
    "state=__proto__",
    "resource=%ff%fe",
    "subject=%0d%0aX:1",
  ],
  ...[
    "requester[]=a",
    "reviewable=maybe",
    "unknown=1",
    "%",
    "=",
    "&&&",
    "jti=%00",
    "dry_run=maybe",
    "access_token=x",
  ],
];

const POSTS: [method: string, path: string][] = [
  ...["access-requests", "revocations", "clients", "webhook-endpoints", "policy/check"].map(
    (path): [string, string] => ["POST", `/v1/${path}`],
  ),
  ...["decisions", "slack"].map((path): [string, string] => ["POST", `/v1/hooks/${path}`]),
  ...["token", "introspect", "revoke", "bc-authorize"].map((path): [string, string] => [
    "POST",
    `/oauth/${path}`,
  ]),
  ["PUT", "/v1/policy"],
  ["POST", "/v1/revocations/import"],
  ...WITH_ID.filter(([method]) => method === "POST" || method === "PATCH").map(
    ([method, path]): [string, string] => [method, path.replace(":id", `req_${ULID}`)],
  ),
];

/** Bodies that are no JSON object, or one that means two things, or one that costs. */
const BODIES = [
  ...[
    "",
    "null",
    "true",
    "1",
    '"text"',
    "[]",
    "[{}]",
    "{",
    "{}{}",
    "{'a':1}",
    "NaN",
    "\u00ef\u00bb\u00bf{}",
    "\u0000",
  ],
  ...['{"a":1,"a":2}', '{"__proto__":{"scopes":["policy:write"]}}', '{"constructor":{"prototype":{}}}'],
  ...[
    '{"match":null}',
    '{"match":{"jti":null}}',
    '{"match":{"jti":"\\u0000"},"reason":"\\u0000"}',
    '{"match":[]}',
  ],
  ...['{"duration_seconds":1e400}', '{"duration_seconds":-0}', '{"expires_at":9e15}', '{"name":"\\ud800"}'],
  ...['{"resource":"\\ud800","scope":"a","justification":"\\udfff"}', '{"url":"https://\\ud800.example"}'],
  ...[`${"[".repeat(20_000)}${"]".repeat(20_000)}`, `${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}`],
  ...['"\u00ff\u00fe"', "{\u00ff:1}", '{"a":"\u00c3\u0028"}', `{"${"a".repeat(60_000)}":1}`],
  ...["a=b", "grant_type=client_credentials", "%", "a=%ff", "&=&", "grant_type=%00", "token=%ud800"],
];
const TYPES = [
  "application/json",
  "application/x-www-form-urlencoded",
  "text/plain",
  "multipart/form-data; boundary=x",
];

/** Header lines that the control plane reads. */
const HEADERS = [
  ...["", "*", '"', '"x"', '"1x"', '"1", "2"', "9".repeat(400)].map((value) => `If-Match: ${value}`),
  ...["", "a", "k".repeat(2_000), "a b", "\u00e9", "a\tb"].map((value) => `Idempotency-Key: ${value}`),
  ...["wait", "wait=", "wait=-1", "wait=1e9x", 'wait="30', "wait=0, wait=0"].map(
    (value) => `Prefer: ${value}`,
  ),
  ...["", "x", "evt_", "\u00ff", "evt_01kaxk2v3y0000000000000000"].map((value) => `Last-Event-ID: ${value}`),
  ...["Accept: text/event-stream;q=x", "Accept-Encoding: zstd", "Range: bytes=0-0,5-", "If-None-Match: *"],
  ...["a.b.c", "", "x, y"].map((value) => `DPoP: ${value}`),
];

export function hostileCalls(): HostileCall[] {
  return [
    ...WITH_ID.flatMap(([method, path]) =>
      IDS.map((id) => ({
        method,
        path: path.replace(":id", id),
        ...(method === "GET" ? {} : { body: "{}" }),
      })),
    ),
    ...LISTS.flatMap((list) => QUERIES.map((query) => ({ method: "GET", path: `/v1/${list}?${query}` }))),
    ...POSTS.flatMap(([method, path]) =>
      BODIES.flatMap((body, i) => {
        // Every body as JSON, and each in one more type.
        const types = [TYPES[0]!, TYPES[1 + (i % 3)]!];
        return types.map((type) => ({ method, path, body, type }));
      }),
    ),
    ...HEADERS.flatMap((line) => [
      { method: "GET", path: `/v1/access-requests/req_${ULID}`, headers: [line] },
      { method: "GET", path: `/v1/access-requests/req_${ULID}/events`, headers: [line] },
      { method: "POST", path: "/v1/access-requests", body: "{}", headers: [line] },
      { method: "PUT", path: "/v1/policy", body: "{}", headers: [line] },
      { method: "POST", path: "/oauth/token", body: "grant_type=x", type: TYPES[1]!, headers: [line] },
    ]),
    ...["GET", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "PUT", "DELETE", "QUERY"].flatMap((method) =>
      ["/v1", "/v1/", "/v1/nothing", "/oauth/token", "/healthz", "/metrics", "/.well-known/jwks.json"].map(
        (path) => ({
          method,
          path,
        }),
      ),
    ),
  ];
}
