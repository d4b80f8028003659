/** The command without `--json`: the very bytes it prints, read as a shell script would. */
import { isPattern } from "../../src/core/glob.ts";
import { type CliOptions, runCli, startCli } from "../helpers/cli.ts";
import type { PlainBoard } from "./driver.ts";

export class PlainCli implements PlainBoard {
  readonly #options: CliOptions;

  constructor(options: CliOptions) {
    this.#options = options;
  }

  async get(key: string) {
    const printed = await this.#print(["get", "--", key]);
    const raw = await this.#print(["get", "--raw", "--", key]);
    if (printed === null || raw === null) return nothing(printed, raw);
    if (!printed.equals(Buffer.concat([raw, Buffer.from("\n")]))) throw new Error("--raw and plain disagree");
    return raw;
  }

  async set(key: string, value: string | Uint8Array) {
    const printed = await this.#print(["set", key, "-"], Buffer.from(value));
    if (printed?.length !== 0) throw new Error("set printed something");
  }

  async del(...keys: string[]) {
    return wholeNumber(await this.#print(["del", "--", ...keys]));
  }

  /** Its exit says whether all exist, so the number is printed with exit 1 too. */
  async exists(...keys: string[]) {
    const { stdout, exitCode } = await runCli(["exists", "--", ...keys], this.#options);
    const existing = wholeNumber(stdout);
    if (exitCode !== (existing === keys.length ? 0 : 1))
      throw new Error(`exit ${exitCode} for ${existing} keys`);
    return existing;
  }

  async keys(pattern: string) {
    const names = linesOf(await this.#print(["keys", "--", pattern]));
    const withNul = (await this.#print(["keys", "-0", "--", pattern]))?.toString("utf8") ?? "";
    if (withNul !== names.map((name) => `${name}\0`).join("")) throw new Error("-0 and plain disagree");
    return names;
  }

  async list(pattern: string) {
    const lines = linesOf(await this.#print(["keys", "--long", "--", pattern]));
    return lines.map((line) => {
      const [key = "", _ttl, size, by = "", age, ...more] = line.split("\t");
      if (age === undefined || more.length > 0) throw new Error(`not five columns: ${line}`);
      return { key, size: Number(size), by };
    });
  }

  async ttlSeconds(key: string) {
    const printed = await this.#print(["ttl", "--", key]);
    return printed === null ? null : wholeNumber(printed);
  }

  async incr(key: string, by: bigint) {
    return BigInt(wholeNumber(await this.#print(["incr", "--", key, String(by)])));
  }

  async publish(channel: string, payload: string) {
    return wholeNumber(await this.#print(["publish", "--", channel, payload]));
  }

  async hear(channels: readonly string[], meanwhile: () => Promise<unknown>) {
    const subscriber = startCli(["subscribe", ...channels], this.#options);
    await meanwhile();
    const { stdout, stderr, exitCode } = await subscriber.ended;
    if (exitCode !== 0 || stderr !== "") throw new Error(`exit ${exitCode}: ${stderr}`);
    const isSingle = channels.length === 1 && !channels.some(isPattern);
    return heardIn(stdout, isSingle ? (channels[0] ?? "") : null);
  }

  async channels(pattern: string) {
    const lines = linesOf(await this.#print(["channels", "--", pattern]));
    return lines.map((line) => {
      const [channel = "", messages, followers, age] = line.split("\t");
      if (age === undefined) throw new Error(`not four columns: ${line}`);
      return { channel, messages: Number(messages), followers: Number(followers) };
    });
  }

  async clear(pattern: string) {
    return wholeNumber(await this.#print(["clear", "--yes", "--", pattern]));
  }

  /** Its stdout, or `null` for exit 1; any other exit, and anything on stderr, is an error. */
  async #print(words: readonly string[], input?: Uint8Array): Promise<Buffer | null> {
    const options = { ...this.#options, ...(input === undefined ? {} : { input }) };
    const { stdout, stderr, exitCode } = await runCli(words, options);
    if (stderr !== "") throw new Error(`exit ${exitCode}: ${stderr}`);
    if (exitCode === 1 && stdout.length === 0) return null;
    if (exitCode !== 0) throw new Error(`exit ${exitCode}`);
    return stdout;
  }
}

function nothing(...printed: readonly (Buffer | null)[]): null {
  if (printed.every((one) => one === null)) return null;
  throw new Error("one form says absent, the other does not");
}

function linesOf(printed: Buffer | null): string[] {
  const text = printed?.toString("utf8") ?? "";
  if (text === "") return [];
  if (!text.endsWith("\n")) throw new Error("the last line has no line break");
  return text.slice(0, -1).split("\n");
}

function wholeNumber(printed: Buffer | null): number {
  const text = printed?.toString("utf8") ?? "";
  if (/^-?\d+\n$/.test(text)) return Number(text);
  throw new Error(`not a number and a line break: ${JSON.stringify(text)}`);
}

/** One channel by its name: the payload and a line break. Else: channel, TAB, payload, line break. */
function heardIn(printed: Buffer, channel: string | null): { channel: string; payload: Buffer } {
  if (printed.at(-1) !== 10) throw new Error("no line break");
  const record = printed.subarray(0, -1);
  if (channel !== null) return { channel, payload: record };
  const tab = record.indexOf(9);
  return { channel: record.subarray(0, tab).toString("utf8"), payload: record.subarray(tab + 1) };
}
