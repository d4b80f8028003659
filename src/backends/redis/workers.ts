/** The consumers of one board, and which of their workers run here. */
import type { AnySelection, ConsumerFacts, Entry, EntryOf } from "../../core/types.ts";
import { checkKept, type Worker, type WorkerOptions } from "../../core/worker.ts";
import type { BoardScripts } from "./board-scripts.ts";
import { forgetConsumer, listConsumers } from "./consumers.ts";
import { sweepBy } from "./followers.ts";
import { membershipOf } from "./membership.ts";
import type { SubscriberPlace } from "./sessions.ts";
import type { RunScript } from "./supply.ts";
import { RedisWorker, type WorkerPlace } from "./worker.ts";

export interface WorkersPlace extends SubscriberPlace {
  readonly history: { readonly messagesPerChannel: number; readonly changes: number };
}

export class Workers {
  readonly #place: WorkersPlace;
  readonly #scripts: BoardScripts;
  readonly #running = new Set<RedisWorker>();

  constructor(place: WorkersPlace, scripts: BoardScripts) {
    this.#place = place;
    this.#scripts = scripts;
  }

  async join<Of extends AnySelection>(
    consumer: string,
    selection: Of,
    options: WorkerOptions,
  ): Promise<Worker<EntryOf<Of>>> {
    checkKept(selection, this.#place.history);
    const membership = membershipOf(consumer, selection, options);
    const worker = await RedisWorker.join(this.#placeOf(options.agent), membership);
    this.#running.add(worker);
    worker.onEnd(() => this.#running.delete(worker));
    return worker as Worker<Entry> as Worker<EntryOf<Of>>; // what is selected decides what comes
  }

  list(): Promise<readonly ConsumerFacts[]> {
    return listConsumers(this.#placeOf(""));
  }

  forget(consumer: string): Promise<boolean> {
    return forgetConsumer(this.#placeOf(""), consumer);
  }

  close(): void {
    for (const worker of this.#running) worker.abandon();
  }

  #placeOf(agent: string): WorkerPlace {
    const { address, layout, link, timeoutMs } = this.#place;
    const run: RunScript = (script, args, deadline, effect = "write") =>
      this.#scripts.run(script, { effect, agent, args, ...(deadline && { deadline }) });
    return { address, layout, link, timeoutMs, run, sweep: sweepBy(this.#scripts) };
  }
}
