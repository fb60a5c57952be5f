/** Indices of one list: 16 KiB of bits before they are compressed. */
export const LIST_SIZE = 2 ** 17;
/** Odd, so that it reaches every place once: neighbours in time are none in the list. */
const STEP = 40_503;

/** The list and place of the index that was given as number `n`, from 1. */
export function placeOf(n: number): { list: number; idx: number } {
  const count = n - 1;
  return { list: Math.floor(count / LIST_SIZE), idx: ((count % LIST_SIZE) * STEP) % LIST_SIZE };
}

/** Which numbers a list holds. */
export function numbersOf(list: number): { first: number; end: number } {
  return { first: list * LIST_SIZE + 1, end: (list + 1) * LIST_SIZE + 1 };
}

export function listUri(issuer: string, list: number): string {
  return `${issuer}/v1/status-lists/${list}`;
}
