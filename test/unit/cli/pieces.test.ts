import { readFile } from "node:fs/promises";
import { PassThrough } from "node:stream";
import { type Command, InvalidArgumentError } from "commander";
import { describe, expect, it } from "vitest";
import { program } from "../../../src/cli/program.ts";
import { plain, Terminal, wrapped } from "../../../src/cli/terminal.ts";
import {
  readDuration,
  readMoment,
  shownDistance,
  shownDuration,
  shownMoment,
} from "../../../src/cli/times.ts";

function terminalOf(columns: number) {
  let out = "";
  const stdout = Object.assign(new PassThrough(), { columns }).on("data", (chunk) => {
    out += String(chunk);
  });
  const stderr = new PassThrough();
  const terminal = new Terminal({ stdin: new PassThrough(), stdout, stderr }, { json: false, colour: false });
  return { terminal, read: () => out };
}

describe("times", () => {
  it("are read as people write them, and nothing else is", () => {
    expect(["90", "90s", "15m", "2h", "1d", "1h30m"].map(readDuration)).toEqual([
      90, 90, 900, 7200, 86_400, 5400,
    ]);
    for (const text of ["", "0", "0m", "-5m", "5 m", "1.5h", "h", "5x", "5m!"]) {
      expect(() => readDuration(text), text).toThrow(InvalidArgumentError);
    }
    const now = 1_800_000_000;
    expect([
      readMoment("now", now),
      readMoment("+2h", now),
      readMoment("-1d", now),
      readMoment("1800000123", now),
    ]).toEqual([now, now + 7200, now - 86_400, 1_800_000_123]);
    expect(readMoment("2027-01-15T08:00Z", now)).toBe(1_800_000_000);
    for (const text of ["tomorrow", "2027-01-15 08:00", "+", "12"]) {
      expect(() => readMoment(text, now), text).toThrow(InvalidArgumentError);
    }
  });

  it("are shown with their two largest units", () => {
    expect([0, 59, 60, 3_661, 90_000].map(shownDuration)).toEqual(["0s", "59s", "1m", "1h 1m", "1d 1h"]);
    expect(shownMoment(1_800_000_000)).toBe("2027-01-15 08:00:00Z");
    expect([shownDistance(1_060, 1_000), shownDistance(940, 1_000)]).toEqual(["in 1m", "1m ago"]);
  });
});

describe("the terminal", () => {
  const rows = [
    {
      id: "req_01jdabcdefghjkmnpqrstvwxyz",
      why: "a very long reason that says everything that there is to say about it",
    },
    { id: "req_02", why: "short" },
  ];
  const columns = [
    { title: "id", value: ({ id }: (typeof rows)[0]) => id, whole: true },
    { title: "why", value: ({ why }: (typeof rows)[0]) => why },
  ];

  it.each([40, 60, 80, 200])("fits a table into %i columns, and never cuts an id", (width) => {
    const { terminal, read } = terminalOf(width);
    terminal.table(rows, columns, "nothing");
    const lines = read().trimEnd().split("\n");
    expect(lines).toHaveLength(3);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width);
    expect(read()).toContain(rows[0]!.id);
    expect(read().includes(rows[0]!.why)).toBe(width > 110);
  });

  it("puts columns below their row where not all have room, and beside each other where they do", () => {
    const key = {
      kid: "k".repeat(43),
      purpose: "access_token",
      from: "2026-11-22 15:23:38Z",
      why: "w".repeat(90),
    };
    const all = [
      { title: "kid", value: () => key.kid, whole: true },
      { title: "from", value: () => key.from, below: true },
      { title: "alg", value: () => undefined, below: true },
      { title: "purpose", value: () => key.purpose, whole: true },
      { title: "why", value: () => key.why, below: true },
    ];
    const shown = (width: number) => {
      const { terminal, read } = terminalOf(width);
      terminal.table([key], all, "");
      return read().trimEnd().split("\n");
    };
    expect(shown(200)).toHaveLength(2);
    const narrow = shown(80);
    expect(narrow).toEqual([
      `KID${" ".repeat(42)}PURPOSE`,
      `${key.kid}  ${key.purpose}`,
      `  from ${key.from}`,
      `  why ${"w".repeat(73)}…`,
    ]);
    expect(Math.max(...narrow.map((line) => line.length))).toBe(80);
  });

  it("goes on below where a line has no room, at a terminal only", () => {
    const parts = [
      "2026-11-22 15:23:38Z  grant.expired",
      "time",
      "→ demo|alice",
      "grt_01m81xqnp1snwbzqy9x69w0ky3",
    ];
    const { terminal, read } = terminalOf(80);
    terminal.flow(parts);
    expect(read()).toBe(`${parts.slice(0, 3).join("  ")}\n    ${parts[3]}\n`);
    let piped = "";
    const stdout = new PassThrough().on("data", (chunk) => {
      piped += String(chunk);
    });
    const streams = { stdin: new PassThrough(), stdout, stderr: new PassThrough() };
    new Terminal(streams, { json: false, colour: false }).flow(parts);
    expect(piped).toBe(`${parts.join("  ")}\n`);
  });

  it("breaks sentences between words, keeps an indent, and leaves what has no end", () => {
    const text = "one two three\n  four five six\nnineteenletterslong";
    expect(wrapped(text, 10)).toBe("one two\nthree\n  four\n  five six\nnineteenletterslong");
    expect(wrapped(text, 80)).toBe(text);
    expect(wrapped(text, undefined)).toBe(text);
    const { terminal, read } = terminalOf(20);
    terminal.fields({ why: "a parcel is lost and found", who: "demo|alice" });
    terminal.say("It is in order and in force.");
    expect(read()).toBe(
      "why  a parcel is\n     lost and found\nwho  demo|alice\nIt is in order and\nin force.\n",
    );
  });

  it("gives text of others no power over it", () => {
    const hostile = "a\u001b[2Jb\r\nc\u202ed\u0007";
    expect(plain(hostile)).toBe("a\ufffd[2Jb\ufffd\ufffdc\ufffdd\ufffd");
    const { terminal, read } = terminalOf(80);
    terminal.fields({ why: hostile });
    terminal.table([{ id: hostile, why: hostile }], columns, "");
    for (const control of ["\u001b", "\r", "\u202e", "\u0007"]) expect(read()).not.toContain(control);
    expect(plain("Zoë 你好 \u2014 ok")).toBe("Zoë 你好 \u2014 ok");
  });
});

describe("the manual", () => {
  it("names every command", async () => {
    const manual = await readFile("docs/cli.md", "utf8");
    const world = {
      streams: process,
      environment: {},
      signal: new AbortController().signal,
      exitWith: () => {},
    };
    const commands = program(world, "0").commands.filter((command) => command.name() !== "help");
    const words = commands.flatMap((command) => [
      command.name(),
      ...command.commands.map((inner) => inner.name()),
    ]);
    expect(words.filter((word) => !manual.includes(word))).toEqual([]);
    expect(words.length).toBeGreaterThan(40);
  });
});

describe("every command's help", () => {
  it("fits 80 columns, with its examples", () => {
    let text = "";
    const stdout = Object.assign(new PassThrough(), { columns: 80 }).on("data", (chunk) => {
      text += String(chunk);
    });
    const streams = { stdin: new PassThrough(), stdout, stderr: new PassThrough() };
    const world = { streams, environment: {}, signal: new AbortController().signal, exitWith: () => {} };
    const helpOf = (command: Command): void => {
      command.outputHelp();
      for (const inner of command.commands) helpOf(inner);
    };
    helpOf(program(world, "0"));
    expect(text).toContain("portcullis backup restore");
    expect(text.split("\n").filter((line) => line.length > 80)).toEqual([]);
  });
});
