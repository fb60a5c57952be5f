/** Uses that one grant can be counted to. */
export const MAX_USES = 10_000;
