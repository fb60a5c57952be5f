import { describe, expect, it } from "vitest";
import { readCredential } from "../../../src/edge/credential.ts";

const TOKEN = "aaa.bbb.ccc";

function read(authorization: string | null, search = "") {
  const credential = readCredential(authorization, search);
  return credential.ok ? credential.value : credential.error;
}

describe("the credential of a request", () => {
  it.each([`Bearer ${TOKEN}`, `bearer ${TOKEN}`, `BEARER ${TOKEN}`, `Bearer   ${TOKEN}`])(
    "is read from %j",
    (value) => {
      expect(read(value)).toBe(TOKEN);
    },
  );

  it("is none where no header is", () => {
    expect(read(null)).toBeUndefined();
    expect(read("")).toBeUndefined();
  });

  it.each([
    [`Basic ${TOKEN}`, "scheme"],
    [`Token ${TOKEN}`, "scheme"],
    [`DPoP ${TOKEN}`, "scheme"],
    [`JWT ${TOKEN}`, "scheme"],
    [TOKEN, "scheme"],
    [`Bearer${TOKEN}`, "scheme"],
    [`Bearer\t${TOKEN}`, "scheme"],
    [`Bearer=${TOKEN}`, "scheme"],
    [`Bearer\u00a0${TOKEN}`, "scheme"],
    [`Bearer ${TOKEN}, Bearer ${TOKEN}`, "several"],
    [`Bearer ${TOKEN},${TOKEN}`, "several"],
    [`Basic abc, Bearer ${TOKEN}`, "several"],
    [`Bearer ${TOKEN}, `, "several"],
    ["Bearer", "malformed"],
    ["Bearer ", "malformed"],
    [`Bearer ${TOKEN} ${TOKEN}`, "malformed"],
    [`Bearer "${TOKEN}"`, "malformed"],
    [`Bearer ${TOKEN}\n`, "malformed"],
    [`Bearer ${TOKEN};x`, "malformed"],
    [`Bearer é${TOKEN}`, "malformed"],
    [`Bearer ${"a".repeat(8193)}`, "too_long"],
    [`Bearer ${" ".repeat(20)}${"a".repeat(8190)}`, "too_long"],
  ])("is refused: %j", (value, fault) => {
    expect(read(value)).toBe(fault);
  });

  it.each([
    "?access_token=x",
    "?access_token",
    "?a=1&access_token=x",
    "?access%5Ftoken=x",
    "?%61ccess_token=x",
    "?access_token=",
    "?a=%26&access_token=x",
  ])("is refused in the query %s, with and without a header", (search) => {
    expect(read(null, search)).toBe("in_query");
    expect(read(`Bearer ${TOKEN}`, search)).toBe("in_query");
  });

  it.each([
    "",
    "?",
    "?Access_Token=x",
    "?access_token_hint=x",
    "?q=access_token",
    "?q=access_token%3Dx",
    "?access-token=x",
    "?my_access_token=x",
  ])("is not seen in the query %s", (search) => {
    expect(read(`Bearer ${TOKEN}`, search)).toBe(TOKEN);
  });
});
