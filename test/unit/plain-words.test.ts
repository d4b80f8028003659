/** Plain calls are read without commander: what is read must be what commander reads. */
import { describe, expect, test } from "vitest";
import type { Command } from "../../src/cli/command.ts";
import { COMMANDS } from "../../src/cli/commands/index.ts";
import { GLOBAL_OPTIONS } from "../../src/cli/globals.ts";
import { readWords } from "../../src/cli/parser.ts";
import { argumentName, readPlainly, type Typed } from "../../src/cli/plain-words.ts";
import { randomOf } from "../helpers/random.ts";

/** Everything a command could ask of what was typed. */
function shown(command: Command, { given, globals }: Typed): unknown {
  const names = [...command.options, ...GLOBAL_OPTIONS].map(({ flags }) => nameOf(flags));
  return {
    args: command.args.map(({ usage }) => [
      given.optionalArg(argumentName(usage)),
      given.rest(argumentName(usage)),
    ]),
    options: names.map((name) => [
      name,
      given.flag(name),
      given.negated(name),
      given.text(name),
      globals[name],
    ]),
  };
}

function nameOf(flags: string): string {
  const long = flags.replace(/ [<[].*/, "").replace(/.*, /, "");
  return long.replace(/^--?(no-)?/, "").replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

function byCommander(command: Command, words: readonly string[]): unknown {
  try {
    const typed = readWords(command, words, []);
    return typed === "help" ? typed : shown(command, typed);
  } catch (error) {
    return `error: ${error}`;
  }
}

const ODD = ["", "-", "--", "-5", "--x", "--json=1", "-qf", "--no-json", "a b", "--help", "-h", "--tt", "é"];

describe("plain words", () => {
  test.each([...COMMANDS])("%s: 600 random calls are read as commander reads them", async (name, load) => {
    const command = await load();
    const random = randomOf(name.length * 1000 + name.charCodeAt(0));
    let plain = 0;
    for (let round = 0; round < 600; round++) {
      const words = randomWords(command, random);
      const typed = readPlainly(command, words);
      if (typed === null) continue;
      plain++;
      expect({ words, typed: shown(command, typed) }).toEqual({ words, typed: byCommander(command, words) });
    }
    expect(plain).toBeGreaterThan(command.takesCommand === "always" ? -1 : 5);
  });

  test("what scripts call most is plain", async () => {
    const plain = async (name: string, ...words: string[]) => {
      const command = await COMMANDS.get(name)?.();
      return command !== undefined && readPlainly(command, words) !== null;
    };
    expect(await plain("get", "k")).toBe(true);
    expect(await plain("set", "k", "v", "--ttl", "5m", "--if-absent")).toBe(true);
    expect(await plain("set", "--backend", "memory", "k", "-", "--no-ttl")).toBe(true);
    expect(await plain("keys", "-l", "--json")).toBe(true);
    expect(await plain("del", "a", "b", "c")).toBe(true);
    expect(await plain("set", "k", "--", "-v")).toBe(false);
    expect(await plain("set", "k")).toBe(true);
    expect(await plain("set")).toBe(false);
    expect(await plain("get", "a", "b")).toBe(false);
  });
});

function randomWords(command: Command, random: (below: number) => number): string[] {
  const pick = (from: readonly string[]) => from[random(from.length)] ?? "";
  const spellings = [...command.options, ...GLOBAL_OPTIONS].map(({ flags }) => flags);
  const words: string[] = [];
  for (let count = random(6); count > 0; count--) {
    const kind = random(10);
    if (kind < 5) words.push(pick(["a", "b", "k:1", "value", "7"]));
    else if (kind < 9) words.push(...optionWords(pick(spellings), pick(["x", "5m", "memory", "3"]), random));
    else words.push(pick(ODD));
  }
  return words;
}

/** Most often as it should be. */
function optionWords(flags: string, value: string, random: (below: number) => number): string[] {
  const spellings = flags.replace(/ [<[].*/, "").split(", ");
  const spelling = spellings[random(spellings.length)] ?? "";
  const takesValue = flags.includes("<");
  return takesValue !== (random(12) === 0) ? [spelling, value] : [spelling];
}
