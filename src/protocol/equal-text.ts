import { utf8 } from "./encoding.ts";

/** Whether two texts are equal, in a time that depends on their lengths only. */
export function equalText(a: string, b: string): boolean {
  const [left, right] = [utf8(a), utf8(b)];
  let difference = left.length ^ right.length;
  for (let i = 0; i < left.length; i++) difference |= (left[i] as number) ^ (right[i] ?? 0);
  return difference === 0;
}
