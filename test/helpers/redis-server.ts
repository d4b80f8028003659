/**
 * A real Redis server of a test's own, with the very configuration we ship: its own directory, port and unix socket.
 * It can be paused, killed and started again, and looked into by `redis-cli`, as another client would.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Certificate, makeCertificate } from "./certificate.ts";
import { getRedisServer } from "./get-redis-server.ts";

const CONFIG = fileURLToPath(new URL("../../infrastructure/redis/redis.conf", import.meta.url));
const START_MS = 20_000;
const START_ATTEMPTS = 5;

/** No server outlives its test process, even one that fails in the middle. */
const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export interface RedisServerOptions {
  readonly password?: string;
  /** Whether data survives a restart. Default: no, which is quicker. */
  readonly appendonly?: boolean;
  /** Whether its port speaks TLS, with a certificate of its own. Its unix socket never does. */
  readonly tls?: boolean;
  /** More settings for the command line: `["--maxmemory", "2mb"]`. */
  readonly settings?: readonly string[];
}

export class RedisServer {
  readonly port: number;
  readonly password: string | null;
  readonly #certificate: Certificate | null;
  readonly #executable: string;
  readonly #directory: string;
  readonly #settings: readonly string[];
  #process: ChildProcess | null = null;

  private constructor(
    executable: string,
    directory: string,
    port: number,
    certificate: Certificate | null,
    options: RedisServerOptions,
  ) {
    this.#executable = executable;
    this.#certificate = certificate;
    this.#directory = directory;
    this.port = port;
    this.password = options.password ?? null;
    const password = options.password === undefined ? [] : ["--requirepass", options.password];
    const lasting = ["--appendonly", options.appendonly ? "yes" : "no", "--appendfsync", "always"];
    this.#settings = [...lasting, ...password, ...(options.settings ?? [])];
  }

  /** A server that answers. */
  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    const executable = await getRedisServer();
    const directory = await mkdtemp(join(tmpdir(), "timmy-bb-redis-"));
    const certificate = options.tls ? await makeCertificate(directory) : null;
    for (let attempt = 1; ; attempt++) {
      const server = new RedisServer(executable, directory, await freePort(), certificate, options);
      try {
        await server.#launch();
        return server;
      } catch (error) {
        if (attempt < START_ATTEMPTS && String(error).includes("in use")) continue; // someone took the port meanwhile
        await server.stop();
        throw error;
      }
    }
  }

  /** With the password, if there is one. */
  get url(): string {
    const login = this.password === null ? "" : `:${encodeURIComponent(this.password)}@`;
    return `${this.#certificate === null ? "redis" : "rediss"}://${login}127.0.0.1:${this.port}`;
  }

  /** Whom a client must trust: a PEM file. */
  get certificate(): string | null {
    return this.#certificate?.certificate ?? null;
  }

  get socketPath(): string {
    return join(this.#directory, "redis.sock");
  }

  get socketUrl(): string {
    const login = this.password === null ? "" : `:${encodeURIComponent(this.password)}@`;
    return `unix://${login}${this.socketPath}`;
  }

  /** What `redis-cli` prints, without its last newline. */
  async cli(...args: readonly string[]): Promise<string> {
    return (await this.cliBytes(args)).toString("utf8").replace(/\n$/, "");
  }

  /** What `redis-cli` prints, byte for byte; `input` is its stdin (with `-x`: the last argument). */
  cliBytes(args: readonly string[], input: Uint8Array | string = ""): Promise<Buffer> {
    const executable = this.#executable.replace(/server$/, "cli");
    const env = { ...process.env, ...(this.password === null ? {} : { REDISCLI_AUTH: this.password }) };
    return new Promise((resolve, reject) => {
      const options = { env, encoding: "buffer", maxBuffer: 1 << 30 } as const;
      const child = execFile(executable, ["-s", this.socketPath, ...args], options, (error, stdout) => {
        if (error === null) resolve(stdout);
        else reject(error);
      });
      child.stdin?.on("error", () => {}); // it ended before it read its input; how, its exit tells
      child.stdin?.end(input);
    });
  }

  /** The process stops where it is: connections are accepted by the kernel and never answered. */
  pause(): void {
    this.#process?.kill("SIGSTOP");
  }

  resume(): void {
    this.#process?.kill("SIGCONT");
  }

  /** As if the power went. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
  }

  /** On the same port, with the same directory; its data is still there if it was appended. */
  async restart(): Promise<void> {
    await this.kill();
    await this.#launch();
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.#directory, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #launch(): Promise<void> {
    const place = [...this.#ports(), "--unixsocket", this.socketPath, "--dir", this.#directory];
    const child = spawn(this.#executable, [CONFIG, ...place, ...this.#settings], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#process = child;
    running.add(child);
    child.once("exit", () => running.delete(child));
    await ready(child);
    const pong = await this.cli("ping");
    if (pong !== "PONG") throw new Error(`the redis-server of the test answers ${pong}`);
  }

  #ports(): readonly string[] {
    if (this.#certificate === null) return ["--port", String(this.port)];
    const { certificate, key } = this.#certificate;
    const files = ["--tls-cert-file", certificate, "--tls-key-file", key, "--tls-auth-clients", "no"];
    return ["--port", "0", "--tls-port", String(this.port), ...files];
  }
}

/** Waits for the line a server prints when it takes connections. */
function ready(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = "";
    const timer = setTimeout(() => reject(new Error(`redis-server is not ready:\n${output}`)), START_MS);
    child.once("error", reject);
    child.once("exit", () => reject(new Error(`redis-server ended:\n${output}`)));
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        output = (output + chunk.toString("utf8")).slice(-10_000);
        if (!/Ready to accept connections|ready to accept connections at/.test(output)) return;
        clearTimeout(timer);
        resolve();
      });
    }
    child.once("exit", () => clearTimeout(timer));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => {
        if (address !== null && typeof address === "object") resolve(address.port);
        else reject(new Error("no free port"));
      });
    });
  });
}
