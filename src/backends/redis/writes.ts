/** Writing values and sending messages. Many that are asked for in one go travel in few scripts. */
import type { SetOptions } from "../../core/backend.ts";
import type { SetResult } from "../../core/conditional.ts";
import { usageError } from "../../core/errors.ts";
import { numberToId } from "../../core/ids.ts";
import type { Bytes, PublishResult, TtlMs } from "../../core/types.ts";
import type { BoardScripts } from "./board-scripts.ts";
import { countRepeats } from "./channels.ts";
import type { Argument, Connection } from "./connection.ts";
import { replyToError, ServerReplyError } from "./errors.ts";
import type { GroupingLink } from "./grouping-link.ts";
import { Groups } from "./groups.ts";
import { toRefusal } from "./key-facts.ts";
import type { Layout } from "./layout.ts";
import { asList, asNumber, asText, type Reply } from "./replies.ts";
import { PUBLISH, SET } from "./scripts.ts";

/** Redis's own limit of a string. */
export const MAX_VALUE_BYTES = 512 * 1024 * 1024;

type SetStep = readonly [key: string, value: Bytes, ttl: string];
type Sending = readonly [channel: string, payload: Bytes];

const UNCONDITIONAL: readonly Argument[] = ["", "", "", ""];

export interface WritesPlace {
  readonly link: GroupingLink;
  readonly layout: Layout;
  readonly scripts: BoardScripts;
  /** The server, for people. */
  readonly shown: string;
}

export class Writes {
  readonly #place: WritesPlace;
  readonly #sets: Groups<SetStep, SetResult>;
  readonly #sendings: Groups<Sending, PublishResult>;

  constructor(place: WritesPlace) {
    this.#place = place;
    this.#sets = new Groups(place.link, (agent, steps) => this.#setAll(agent, UNCONDITIONAL, steps));
    this.#sendings = new Groups(place.link, (agent, sendings) => this.#publishAll(agent, sendings));
  }

  async set(key: string, value: Bytes, { ttlMs, condition, fence, agent }: SetOptions): Promise<SetResult> {
    checkSize("value", value);
    const step = [key, value, lifetime(ttlMs)] as const;
    if (condition === null && fence === null) return this.#sets.join(agent, step, key.length + value.length);
    const expected = condition?.if === "value" ? condition.value : "";
    const conditions = [condition?.if ?? "", expected, fence?.lock ?? "", fence?.fence ?? ""];
    const [result] = await this.#setAll(agent, conditions, [step]);
    if (result === undefined || result instanceof Error) throw result;
    return result;
  }

  async publish(channel: string, payload: Bytes, agent: string): Promise<PublishResult> {
    checkSize("payload", payload);
    return this.#sendings.join(agent, [channel, payload], channel.length + payload.length);
  }

  async #setAll(
    agent: string,
    conditions: readonly Argument[],
    steps: readonly SetStep[],
  ): Promise<Array<SetResult | Error>> {
    const args = [...conditions, ...steps.flat()];
    const run = { effect: "write", agent, args, steps: steps.length } as const;
    const [first, ...rest] = asList(await this.#place.scripts.book(SET, run));
    if (typeof first === "number") return [toRefusal(first, rest)];
    const results: Array<SetResult | Error> = steps.map((_, at) => ({ written: true, id: idOf(first, at) }));
    for (let at = 0; at < rest.length; at += 2) results[asNumber(rest[at])] = this.#toError(rest[at + 1]);
    return results;
  }

  #publishAll(agent: string, sendings: readonly Sending[]): Promise<Array<PublishResult | Error>> {
    const { link, scripts } = this.#place;
    const run = { effect: "write", agent, args: sendings.flat(), steps: sendings.length } as const;
    return link.run("write", async (connection) => {
      const [first, several, ...rest] = asList(await scripts.bookOn(connection, PUBLISH, run));
      const channels = asNumber(several) === 0 ? [] : sendings.map(([channel]) => channel);
      const repeats = await this.#repeatsOf(connection, new Set(channels));
      return sendings.map(([channel], at) => {
        const reply = rest[at];
        if (typeof reply !== "number") return this.#toError(reply);
        return { receivers: Math.max(reply - (repeats.get(channel) ?? 0), 0), id: idOf(first, at) };
      });
    });
  }

  async #repeatsOf(
    connection: Connection,
    channels: ReadonlySet<string>,
  ): Promise<ReadonlyMap<string, number>> {
    const { layout } = this.#place;
    const count = async (channel: string) =>
      [channel, await countRepeats(connection, layout, channel)] as const;
    return new Map(await Promise.all([...channels].map(count)));
  }

  /** What a step says that failed by itself. */
  #toError(reply: Reply | undefined): Error {
    return replyToError(new ServerReplyError(asText(reply).slice(1)), this.#place.shown);
  }
}

/** The id of the step at this place of a run whose first step has the given number. */
function idOf(first: Reply | undefined, at: number): string {
  return numberToId(asNumber(first) + at);
}

/** As the scripts read it. */
export function lifetime(ttlMs: TtlMs): string {
  return ttlMs === null ? "none" : String(ttlMs);
}

function checkSize(what: string, bytes: Bytes): void {
  if (bytes.length <= MAX_VALUE_BYTES) return;
  throw usageError(`the ${what} is ${bytes.length} bytes long; the limit is ${MAX_VALUE_BYTES}`);
}
