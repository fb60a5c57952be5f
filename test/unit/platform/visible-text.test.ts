import { describe, expect, it } from "vitest";
import { withUnseenShown } from "../../../src/platform/visible-text.ts";

describe("a text of somebody's", () => {
  it.each([
    ["invoice\u202egpj.exe", "invoice[U+202E]gpj.exe"],
    ["al\u200bice", "al[U+200B]ice"],
    ["al\u200dice", "al[U+200D]ice"],
    ["corp|bob\u200d", "corp|bob[U+200D]"],
    ["\u2066bob\u2069", "[U+2066]bob[U+2069]"],
    ["bob\u{e0041}", "bob[U+E0041]"],
    ["\u0000\u001b[31m", "[U+0000][U+001B][31m"],
    ["soft\u00adhyphen \u3164", "soft[U+00AD]hyphen [U+3164]"],
  ])("%j is shown as %s", (text, shown) => {
    expect(withUnseenShown(`<p>${text}</p>`)).toBe(`<p>${shown}</p>`);
  });

  it.each(["two\nlines\tand a tab\r\n", "👩\u200d💻 ❤\ufe0f", "می\u200cخواهم", "Ünïcödé – 日本", "עברית"])(
    "%j stays as it is",
    (text) => {
      expect(withUnseenShown(`<p>${text}</p>`)).toBe(`<p>${text}</p>`);
    },
  );

  it("that somebody is about to edit or send stays what it is, whatever is beside it", () => {
    const field = '<input value="a\u202eb > c"><textarea rows="2">a\u202eb</textarea>';
    expect(withUnseenShown(`${field}<b title="\u200b">\u202e</b>`)).toBe(
      `${field}<b title="\u200b">[U+202E]</b>`,
    );
  });
});
