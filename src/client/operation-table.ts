/** One operation as the client calls it. */
export type OperationEntry = {
  method: string;
  /** With `{name}` for each parameter. */
  path: string;
  /** The body, where it takes one. */
  sends?: "json" | "lines";
  query?: true;
  answers: "json" | "pages" | "lines" | "events" | "text";
  /** It takes an `Idempotency-Key`: the same call again changes nothing. */
  keyed?: true;
  /** It needs no access token. */
  open?: true;
  /** Refusing statuses whose bodies are answers too. */
  also?: readonly number[];
};

export type OperationTable = { [namespace: string]: { [name: string]: OperationEntry } };
