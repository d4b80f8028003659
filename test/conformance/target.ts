/**
 * One of the targets: a store and a way to use it. It makes each test its own place and takes it apart again:
 * a fresh prefix on a server of this file's own, or a fresh directory; nothing may be left of either.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import type { StoreName } from "../../src/core/types.ts";
import { runCli } from "../helpers/cli.ts";
import { resourceCounts } from "../helpers/leaks.ts";
import { inParallel } from "../helpers/parallel.ts";
import { killProcesses, runningProcesses } from "../helpers/processes.ts";
import { RawRedis } from "../helpers/raw-redis.ts";
import { RedisServer } from "../helpers/redis-server.ts";
import { filesIn, removeTempDirs, tempDir } from "../helpers/temp.ts";
import { until } from "../helpers/until.ts";
import { callOptions, openCliBoard } from "./cli-driver.ts";
import type { Board, BoardSettings, Place } from "./driver.ts";
import { openLibraryBoard, runProgram } from "./library-driver.ts";

export type Form = "library" | "cli";
export type TargetName = `${StoreName}-${Form}` | `${StoreName}-tls-${Form}`;

/** The database for comparing with a real server; boards are in the others. */
const SCRATCH_DB = 15;
const OWN_SEEDS = 5000;
const SEEDS_AT_ONCE = 500;
/** What a board's directory may hold. */
const BOARD_FILE = /^board\.db(-wal|-shm|\.unsynced)?$/;

export class Target {
  readonly store: StoreName;
  readonly form: Form;
  /** Whether its server is reached by TLS, where the driver is another one. */
  readonly tls: boolean;
  #server: RedisServer | null = null;
  #scratch: RawRedis | null = null;
  #foreign: RawRedis | null = null;
  #place: Place | null = null;
  #boards: Board[] = [];
  #libraryBoards = new Map<string, Promise<Board>>();
  #count = 0;

  constructor(store: StoreName, form: Form, tls: boolean) {
    this.store = store;
    this.form = form;
    this.tls = tls;
  }

  get name(): TargetName {
    return this.tls ? `${this.store}-tls-${this.form}` : `${this.store}-${this.form}`;
  }

  /** Registers the making and taking apart with vitest. */
  install(): void {
    beforeAll(() => this.#start());
    beforeEach(() => this.#begin());
    afterEach(() => this.#end());
    afterAll(() => this.#stop());
  }

  /** A server that holds nothing of any board: the oracle. */
  get scratch(): RawRedis {
    return given(this.#scratch, "the scratch server");
  }

  /** A client of the board's own server that knows nothing of timmy-bb; only redis has such clients. */
  get foreign(): RawRedis | null {
    return this.store === "redis" ? given(this.#foreign, "the server") : null;
  }

  /** This test's place. */
  get place(): Place {
    return given(this.#place, "the place");
  }

  /**
   * What is tried one by one, each by processes of its own. The command on redis gets each third: what the command does
   * with it is tried in full on memory, and what redis does, in the library.
   */
  some<Item>(items: readonly Item[]): readonly Item[] {
    return this.name === "redis-cli" ? items.filter((_, index) => index % 3 === 0) : items;
  }

  /** The same for what the form cannot get wrong by itself: the command gets only the first. */
  few<Item>(items: readonly Item[]): readonly Item[] {
    return this.form === "library" ? items : items.slice(0, 1);
  }

  /** A prefix nobody has used. */
  freshPrefix(): string {
    return `t${process.pid}-${++this.#count}`;
  }

  settings(settings: Partial<BoardSettings> = {}): BoardSettings {
    const fresh = { prefix: this.freshPrefix(), agent: "tester", ttlSeconds: null, timeoutMs: 5000 };
    return { place: this.place, ...fresh, ...settings };
  }

  /** A board in this target's form; without settings a fresh prefix of this test's place. Closed after the test. */
  async open(settings: Partial<BoardSettings> = {}): Promise<Board> {
    const all = this.settings(settings);
    const board =
      this.form === "library" ? await openLibraryBoard(all) : openCliBoard(all, () => this.#followers(all));
    this.#boards.push(board);
    return board;
  }

  /** The same board through the library, whatever the target's form: to seed it fast, or to look at it from aside. */
  aside(board: Pick<Board, "settings">): Promise<Board> {
    return this.#asideOf(board.settings);
  }

  /** Many keys, fast: on redis all but a few thousand are a foreign client's, who can write them in bulk. */
  async seed(board: Board, count: number): Promise<void> {
    const keys = Array.from({ length: count }, (_, index) => `key:${index}`);
    const own = this.foreign === null ? keys : keys.splice(0, OWN_SEEDS);
    const aside = await this.aside(board);
    await inParallel(own, SEEDS_AT_ONCE, (key) => aside.set(key, "v"));
    while (this.foreign !== null && keys.length > 0) {
      const pairs = keys.splice(0, SEEDS_AT_ONCE).flatMap((key) => [`${board.settings.prefix}:${key}`, "v"]);
      await this.foreign.call("mset", ...pairs);
    }
  }

  /** A place that holds nothing at all, for boards without a prefix. */
  emptyPlace(): Place {
    if (this.store === "memory") return { ...this.place, dataDir: tempDir("board") };
    const db = (this.#count++ % (SCRATCH_DB - 1)) + 1; // flushed after each test
    return { ...this.place, url: `${this.#url}/${db}` };
  }

  /** This test's place, with other limits of what is retained: lines of the config's `history`. */
  placeWithHistory(...lines: readonly string[]): Place {
    const config = join(tempDir("config"), "config.yaml");
    writeFileSync(config, `blackboard:\n  history:\n${lines.map((line) => `    ${line}\n`).join("")}`);
    return { ...this.place, config };
  }

  /** Every connection of a board to its server breaks at once. A file has none that could. */
  async breakConnections(): Promise<void> {
    if (this.foreign === null) return;
    const clients = String(await this.foreign.call("client", "list"))
      .trim()
      .split("\n");
    const ours = [await this.foreign.call("client", "id"), await this.scratch.call("client", "id")].map(
      Number,
    );
    const ids = clients.map((client) => Number(/^id=(\d+) /.exec(client)?.[1]));
    for (const id of ids.filter((one) => !ours.includes(one))) {
      await this.foreign.call("client", "kill", "id", id);
    }
  }

  /** A place where no store can be. */
  brokenPlace(): Place {
    if (this.store === "memory") return { ...this.place, dataDir: "/dev/null/board" };
    return { ...this.place, url: "redis://127.0.0.1:1" };
  }

  /** A place that asks for a password: given in the URL, or beside it. */
  async guardedPlace(password: string): Promise<Place> {
    if (this.store === "memory") return { ...this.place, password };
    await this.scratch.call("acl", "setuser", "guarded", "reset", "on", `>${password}`, "~*", "&*", "+@all");
    return { ...this.place, url: `${this.#url.replace("://", "://guarded@")}`, password };
  }

  /** A process that does everything and then has nothing more to do: it must end by itself. */
  async endsByItself(board: Board): Promise<void> {
    if (this.form === "library") return runProgram(board.settings, { do: "everything" });
    // An input that stays open must not hold back a command that does not read it.
    const options = { ...callOptions(board.settings), input: "open", timeoutMs: 10_000 } as const;
    const { exitCode, stdout } = await runCli(["set", "key", "value"], options);
    if (exitCode !== 0 || stdout.length > 0) throw new Error(`exit ${exitCode}`);
    const { stdout: value } = await runCli(["get", "key"], options);
    if (value.toString() !== "value\n") throw new Error(`not the value: ${value}`);
  }

  get #url(): string {
    return given(this.#server, "the server").url;
  }

  #asideOf(settings: BoardSettings): Promise<Board> {
    const id = JSON.stringify(settings);
    const known = this.#libraryBoards.get(id);
    if (known !== undefined) return known;
    const opening = openLibraryBoard(settings);
    this.#libraryBoards.set(id, opening);
    return opening;
  }

  async #followers(settings: BoardSettings): Promise<number> {
    const { stores } = await (await this.#asideOf(settings)).status();
    return stores[0]?.followers ?? 0;
  }

  async #start(): Promise<void> {
    this.#server = await RedisServer.start({ tls: this.tls });
    this.#foreign = await RawRedis.connect(this.#url);
    this.#scratch = await RawRedis.connect(`${this.#url}/${SCRATCH_DB}`);
  }

  async #stop(): Promise<void> {
    this.#foreign?.close();
    this.#scratch?.close();
    await this.#server?.stop();
  }

  #begin(): void {
    const home = tempDir("home");
    const config = join(tempDir("config"), "config.yaml");
    writeFileSync(config, "blackboard:\n  enabled: true\n");
    const trusted = this.#server?.certificate;
    this.#place =
      this.store === "memory"
        ? { store: "memory", dataDir: `${tempDir("board")}/data`, home, config }
        : { store: "redis", url: this.#url, ...(trusted ? { trusted } : {}), home, config };
  }

  /** Closes what the test opened, then proves that nothing is left, then removes the rest. */
  async #end(): Promise<void> {
    try {
      const aside = await Promise.all(this.#libraryBoards.values());
      await Promise.all([...this.#boards, ...aside].map((board) => board.close()));
      await this.#expectNothingLeft();
    } finally {
      this.#boards = [];
      this.#libraryBoards = new Map();
      killProcesses();
      removeTempDirs();
      await this.scratch.call("flushall");
    }
  }

  async #expectNothingLeft(): Promise<void> {
    const { home, dataDir } = this.place;
    const processes = runningProcesses();
    if (processes.length > 0) throw new Error(`left running: ${processes}`);
    const strays = [...filesIn(home), ...(dataDir === undefined ? [] : filesOf(dataDir).filter(isStray))];
    if (strays.length > 0) throw new Error(`left behind: ${strays}`);
    await until("only our own two connections on the server", async () => (await this.#connections()) === 2);
    await until(
      "no handle left open",
      () => resourceCounts().watchers === 0 && resourceCounts().sockets <= 2,
    );
  }

  async #connections(): Promise<number> {
    const clients = String(await this.scratch.call("client", "list"));
    return clients.trim().split("\n").length;
  }
}

function filesOf(directory: string): string[] {
  try {
    return filesIn(directory);
  } catch {
    return []; // the test did not use the board
  }
}

function isStray(file: string): boolean {
  return !BOARD_FILE.test(file);
}

function given<Value>(value: Value | null, what: string): Value {
  if (value === null) throw new Error(`${what} is there only while a test runs`);
  return value;
}
