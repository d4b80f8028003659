/**
 * Finds a program that tests need on this machine, and installs Debian's package if there is none and we may. For a vitest
 * `globalSetup` or `beforeAll`: a test that needs it is never skipped.
 */
import { execFile } from "node:child_process";
import { access, constants, mkdir, rm, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

const run = promisify(execFile);
/** A directory, because making one is atomic; the first process in installs, the others wait. */
const LOCK = "/tmp/timmy-bb-install.lock";
const INSTALL_MS = 300_000;
/** Debian asks this file before it starts a service: 101 is no. */
const POLICY = "/usr/sbin/policy-rc.d";

export interface Wanted {
  /** Any of these will do. */
  readonly names: readonly string[];
  readonly debianPackage: string;
  /** For who has to install it himself. */
  readonly sentence: string;
}

/** The path of the program. */
export async function getProgram(wanted: Wanted): Promise<string> {
  return (await find(wanted)) ?? (await install(wanted));
}

async function find({ names }: Wanted): Promise<string | null> {
  for (const name of names) {
    for (const directory of (process.env.PATH ?? "").split(delimiter)) {
      const path = join(directory, name);
      if (directory !== "" && (await isExecutable(path))) return path;
    }
  }
  return null;
}

async function install(wanted: Wanted): Promise<string> {
  const mayInstall = process.getuid?.() === 0 && (await isExecutable("/usr/bin/apt-get"));
  if (mayInstall) await withLock(() => installPackage(wanted));
  const path = await find(wanted);
  if (path !== null) return path;
  throw new Error(wanted.sentence);
}

async function installPackage(wanted: Wanted): Promise<void> {
  if ((await find(wanted)) !== null) return; // another process was here before us
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  await run("apt-get", ["update", "-q"], { env });
  await withoutServices(() =>
    run("apt-get", ["install", "-qy", "--no-install-recommends", wanted.debianPackage], { env }),
  );
}

/** A package may bring a service: redis-server would start one on port 6379. */
async function withoutServices(work: () => Promise<unknown>): Promise<void> {
  if (await isExecutable(POLICY)) return void (await work()); // someone decided already
  await writeFile(POLICY, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    await work();
  } finally {
    await rm(POLICY, { force: true });
  }
}

async function withLock(work: () => Promise<void>): Promise<void> {
  const deadline = Date.now() + INSTALL_MS;
  while (!(await made(LOCK))) {
    if (Date.now() > deadline) throw new Error(`Another process holds ${LOCK}; remove it if there is none.`);
    await sleep(200);
  }
  try {
    await work();
  } finally {
    await rm(LOCK, { recursive: true, force: true });
  }
}

async function made(directory: string): Promise<boolean> {
  try {
    await mkdir(directory);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
