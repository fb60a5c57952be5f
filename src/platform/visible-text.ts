/**
 * Characters that nobody sees and that change how a text reads: controls, those that turn its direction, those without
 * width, tags. A joiner between letters of scripts that need it, and within an emoji, is left alone.
 */
const UNSEEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: showing them is the point
  /[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\u{e0000}-\u{e007f}]|\u034f|\u17b4|\u17b5|(?<=[\0-\u024f])[\u200c\u200d]|[\u200c\u200d](?=[\0-\u024f]|$)/gu;

/** What stays as it is: tags with their attributes, and what somebody is about to edit. */
const PARTS = /(<textarea\b(?:[^>"]|"[^"]*")*>[^<]*|<(?:[^>"]|"[^"]*")*>)|[^<]+/g;

/** A document of ours with every character in its texts that would not be seen written out, as `[U+202E]`. */
export function withUnseenShown(html: string): string {
  if (html.search(UNSEEN) < 0) return html;
  return html.replaceAll(PARTS, (part, kept?: string) => kept ?? unseenShown(part));
}

/** A text with every character that would not be seen written out. */
export function unseenShown(text: string): string {
  return text.replaceAll(UNSEEN, nameOf);
}

function nameOf(character: string): string {
  return `[U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}]`;
}
