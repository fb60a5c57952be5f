/** What every call takes. */
export type CallOptions = {
  /** Ends the call, its retries and what it reads. */
  signal?: AbortSignal;
  /** For each attempt, until it is answered whole; a stream: until it begins. */
  timeoutMs?: number;
};

/** One page of a list. */
export type Page<T> = { items: T[]; next_cursor?: string };

/** A list, newest first: `for await` goes through all of it, page by page. */
export type Pages<T> = AsyncIterable<T> & {
  /** The page that the query names, and no more. */
  page(): Promise<Page<T>>;
};

/** NDJSON to send: values, one a line, or the text as it is. */
export type Lines<T> = Iterable<T> | AsyncIterable<T> | ReadableStream<Uint8Array> | Blob | string;

/** One event of a stream (`text/event-stream`). */
export type ServerSentEvent = { id?: string; type: string; data: unknown };
