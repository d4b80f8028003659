/** Acknowledging: what comes while an answer is awaited goes together. An acknowledgement may be sent twice. */
import type { Connection } from "./connection.ts";
import { type Layout, streamOf } from "./layout.ts";
import type { Link } from "./link.ts";
import type { Patience } from "./patience.ts";

export interface AckPlace {
  readonly layout: Layout;
  readonly link: Link;
}

interface Ack {
  readonly channel: string;
  readonly id: string;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Acknowledgements that go together at most: what the server does in less than a millisecond. */
const AT_ONCE = 500;

export class Acks {
  readonly #place: AckPlace;
  readonly #consumer: string;
  readonly #patience: Patience;
  #waiting: Ack[] = [];
  #sending: Promise<void> | null = null;

  constructor(place: AckPlace, consumer: string, patience: Patience) {
    this.#place = place;
    this.#consumer = consumer;
    this.#patience = patience;
  }

  add(channel: string, id: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ channel, id, resolve, reject });
      this.#sending ??= this.#send();
    });
  }

  /** Resolves when nobody waits any more. */
  async settled(): Promise<void> {
    await this.#sending;
  }

  async #send(): Promise<void> {
    while (this.#waiting.length > 0) await this.#settle(this.#waiting.splice(0, AT_ONCE));
    this.#sending = null;
  }

  async #settle(batch: readonly Ack[]): Promise<void> {
    try {
      await this.#tell(batch);
      for (const { resolve } of batch) resolve();
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  #tell(batch: readonly Ack[]): Promise<unknown> {
    const { layout, link } = this.#place;
    const work = (connection: Connection): Promise<unknown> =>
      Promise.all(
        [...byChannel(batch)].map(([channel, ids]) =>
          connection.call("xack", streamOf(layout, channel), this.#consumer, ...ids),
        ),
      );
    return this.#patience.run((deadline) => link.run("write", work, deadline));
  }
}

function byChannel(batch: readonly Ack[]): ReadonlyMap<string, readonly string[]> {
  const channels = new Map<string, string[]>();
  for (const { channel, id } of batch) {
    const ids = channels.get(channel);
    if (ids === undefined) channels.set(channel, [id]);
    else ids.push(id);
  }
  return channels;
}
