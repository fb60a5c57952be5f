import type { Result } from "../protocol/result.ts";
import type { DenialInput } from "./denied-token.ts";
import type { Cursor, TokenPage } from "./denylist-store.ts";
import type { Receipt } from "./receipt.ts";

export type DenialBatch = {
  tokens: DenialInput[];
  actor: string;
  /** Becomes effective within seconds by itself; otherwise with the next publication. */
  publish: boolean;
};

export type BatchOutcome = { accepted: number; unchanged: number };

/** How far the publication of everything up to a change is; the receipt is that of the last one that is done. */
export type PublicationStep = { up_to: number; done: boolean; receipt?: Receipt };

/** What the list and its filter amount to. */
export type DenylistStatus = {
  tokens: number;
  /** Changes so far, and how many of them every edge learns of through the filter in force. */
  changes: number;
  published_changes: number;
  filter_parts: number;
  outbox_rows: number;
};

/** The object that holds the denied tokens, as others call it. */
export type DenylistPort = {
  addBatch(batch: DenialBatch): Promise<Result<BatchOutcome>>;
  removeBatch(batch: DenialBatch): Promise<Result<BatchOutcome>>;
  publish(upTo?: number): Promise<Result<PublicationStep>>;
  /** @param build the part of the filter that suspects the token */
  contains(iss: string, jti: string, build: number): Promise<Result<number>>;
  part(build: number): Promise<Result<Uint8Array>>;
  page(limit: number, after?: Cursor): Promise<Result<TokenPage>>;
  status(): Promise<Result<DenylistStatus>>;
};
