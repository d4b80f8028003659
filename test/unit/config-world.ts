/** A directory of real files to load configuration from, and what to load it with. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import { type LoadedSettings, loadSettings, type Overrides } from "../../src/config/index.ts";
import { BlackboardError } from "../../src/core/errors.ts";

export interface World {
  readonly root: string;
  readonly put: (path: string, content: string | Uint8Array) => string;
  readonly load: (how?: How) => Promise<LoadedSettings>;
  /** The error a load ends with. */
  readonly refusal: (how?: How) => Promise<BlackboardError>;
}

export interface How {
  readonly overrides?: Overrides;
  readonly config?: string | null;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Below the root; `work` by default. */
  readonly cwd?: string;
  readonly home?: string;
  readonly userAtHost?: string;
}

/** Files are relative to the root; the working directory is `work`, the home directory `home`. */
export function world(files: Readonly<Record<string, string | Uint8Array>> = {}): World {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "timmy-bb-config-")));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const put = (path: string, content: string | Uint8Array) => {
    const file = join(root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
    return file;
  };
  for (const [path, content] of Object.entries(files)) put(path, content);
  for (const directory of ["work", "home"]) mkdirSync(join(root, directory), { recursive: true });
  const load = (how: How = {}) =>
    loadSettings(how.overrides ?? {}, how.config ?? null, {
      env: how.env ?? {},
      cwd: join(root, how.cwd ?? "work"),
      home: how.home ?? join(root, "home"),
      userAtHost: how.userAtHost ?? "me@here",
    });
  return { root, put, load, refusal: (how) => refusalOf(load(how)) };
}

/** A world whose `work/config.yaml` holds a `blackboard` section with these lines, from line 2. */
export function worldWith(...lines: readonly string[]): World {
  return world({ "work/config.yaml": section(...lines) });
}

export function section(...lines: readonly string[]): string {
  return ["blackboard:", ...lines.map((line) => `  ${line}`), ""].join("\n");
}

export async function refusalOf(work: Promise<unknown>): Promise<BlackboardError> {
  const outcome: unknown = await work.then(
    () => null,
    (error: unknown) => error,
  );
  if (outcome instanceof BlackboardError) return outcome;
  throw new Error("no refusal", { cause: outcome });
}
