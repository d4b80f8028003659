/**
 * The Docker Compose file, without Docker: its shape, what it exposes, and the very commands it runs, run here.
 */
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import { COMMANDS } from "../../src/cli/commands/index.ts";
import { getRedisServer } from "../helpers/get-redis-server.ts";
import { RedisServer } from "../helpers/redis-server.ts";
import { until } from "../helpers/until.ts";

const DIRECTORY = join(import.meta.dirname, "../../infrastructure/redis");
const PASSWORD = `it's "awkward" $HOME #%/@ \\ pass`;
const text = readFileSync(join(DIRECTORY, "docker-compose.yml"), "utf8");
const compose = parse(text) as { services: { redis: Service }; volumes: object; name: string };
const { redis } = compose.services;

interface Service {
  readonly image: string;
  readonly command: readonly string[];
  readonly ports: readonly string[];
  readonly volumes: readonly string[];
  readonly healthcheck: { readonly test: readonly string[] };
  readonly environment: Readonly<Record<string, string>>;
}

/** A command of the file as a container's shell gets it, with this machine's places in it. */
function here(command: string, directory: string, server: string): string {
  return command
    .replaceAll("$$", "$")
    .replace("/etc/timmy-bb/redis.conf", join(DIRECTORY, "redis.conf"))
    .replace("--dir /data", `--dir ${directory} --port 0 --unixsocket ${directory}/s`)
    .replace("exec redis-server", `exec ${server}`)
    .replace("redis-cli", `${server.replace(/server$/, "cli")} -s ${directory}/s`);
}

test("only keys of the Compose specification, each of the shape it wants", () => {
  expect(Object.keys(compose).sort()).toEqual(["name", "services", "volumes"]);
  expect(Object.keys(compose.services)).toEqual(["redis"]);
  expect(redis).toEqual({
    image: expect.any(String),
    user: "redis",
    command: ["sh", "-c", expect.any(String)],
    environment: { TIMMY_BB_REDIS_PASSWORD: expect.any(String) },
    ports: [expect.any(String)],
    volumes: [expect.any(String), expect.any(String)],
    healthcheck: {
      test: ["CMD-SHELL", expect.any(String)],
      interval: "5s",
      timeout: "3s",
      retries: 10,
      start_period: "30s",
    },
    restart: "unless-stopped",
    stop_grace_period: "30s",
    mem_limit: "1g",
    security_opt: ["no-new-privileges:true"],
    cap_drop: ["ALL"],
  });
});

test("an exact image, this machine only, a password or nothing, and data that stays", () => {
  expect(redis.image).toMatch(/^redis:\d+\.\d+\.\d+-alpine\d+\.\d+$/);
  expect(redis.ports).toEqual(["127.0.0.1:6379:6379"]);
  expect(redis.environment.TIMMY_BB_REDIS_PASSWORD).toMatch(/^\$\{TIMMY_BB_REDIS_PASSWORD:\?.+\.env.+\}$/);
  expect(redis.volumes).toEqual(["./redis.conf:/etc/timmy-bb/redis.conf:ro", "data:/data"]);
  expect(Object.keys(compose.volumes)).toEqual(["data"]);
  const example = readFileSync(join(DIRECTORY, ".env.example"), "utf8");
  expect(example).toMatch(/^TIMMY_BB_REDIS_PASSWORD=$/m); // empty, so that a forgotten one is noticed
});

test("its README names no command that does not exist", () => {
  const readme = readFileSync(join(DIRECTORY, "README.md"), "utf8");
  const code = [...readme.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block).join("\n");
  const named = [...code.matchAll(/^timmy-bb (\S+)/gm)].map(([, name = ""]) => name);
  expect(named.length).toBeGreaterThan(1);
  expect(named.filter((name) => !COMMANDS.has(name))).toEqual([]);
});

test("a shell variable is never Compose's: every other $ is doubled", () => {
  const left = text.replaceAll("$$", "").replaceAll(/\$\{TIMMY_BB_REDIS_PASSWORD:\?[^}]*\}/g, "");
  expect(left).not.toContain("$");
});

test("its commands start a server that wants the password, shows it nowhere, and is healthy", async () => {
  const executable = await getRedisServer();
  const directory = mkdtempSync(join(tmpdir(), "timmy-bb-compose-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const env = { ...process.env, TIMMY_BB_REDIS_PASSWORD: PASSWORD };
  const [shell = "", flag = "", script = ""] = redis.command;
  const server = spawn(shell, [flag, here(script, directory, executable)], { env, stdio: "ignore" });
  const gone = new Promise((resolve) => server.once("exit", resolve));
  onTestFinished(async () => {
    server.kill("SIGTERM"); // what Docker sends: the shell must have given way to the server
    await gone;
  });
  const health = here(redis.healthcheck.test[1] ?? "", directory, executable);
  const healthy = (password: string): Promise<boolean> =>
    promisify(execFile)("sh", ["-c", health], { env: { ...env, TIMMY_BB_REDIS_PASSWORD: password } }).then(
      () => true,
      () => false,
    );
  await until("the server to be healthy", () => healthy(PASSWORD));
  expect(await healthy("wrong")).toBe(false);
  expect(readFileSync(`/proc/${server.pid}/cmdline`, "utf8")).not.toContain("awkward");
});

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start({ appendonly: true });
});
afterAll(() => server.stop());

test("the configuration says what it says", async () => {
  const setting = async (name: string): Promise<string> =>
    (await server.cli("config", "get", name)).split("\n")[1] ?? "";
  expect(await setting("maxmemory-policy")).toBe("noeviction");
  expect([...(await setting("notify-keyspace-events"))].sort().join("")).toBe("$Kegx");
  expect([await setting("timeout"), await setting("tcp-keepalive")]).toEqual(["0", "60"]);
  expect(await setting("bind")).toBe("127.0.0.1 -::1");
  expect(await setting("client-output-buffer-limit")).toContain("pubsub 33554432 8388608 60");
  const config = readFileSync(join(DIRECTORY, "redis.conf"), "utf8");
  expect(config).toMatch(/^appendonly yes$/m);
  expect(config).toMatch(/^appendfsync everysec$/m);
  expect(config).not.toMatch(/^requirepass/m);
});
