/** Where files are: relative to what, `~/`, and the XDG directories. */
import { isAbsolute, join, relative, resolve, sep } from "node:path";
import { BlackboardError } from "../core/errors.ts";
import type { PathText } from "./kinds.ts";
import type { Surroundings } from "./types.ts";

const BOARD_FILE = "board.db";

/** An absolute path for what somebody wrote: `~/` is the home directory, the rest is relative to `base`. */
export function expandPath(text: string, base: string, surroundings: Surroundings): string {
  if (text !== "~" && !text.startsWith("~/")) return resolve(base, text);
  if (surroundings.home === "") throw noHome();
  return join(surroundings.home, text.slice(1));
}

/** The board's file as somebody wrote it. */
export function boardFile(path: PathText, base: string, surroundings: Surroundings): string {
  const place = expandPath(path.text, base, surroundings);
  return path.names === "directory" ? join(place, BOARD_FILE) : place;
}

/** The board's file if nobody named one; `null` without a home directory. */
export function defaultBoardFile(surroundings: Surroundings): string | null {
  const state = xdgDirectory(surroundings, "XDG_STATE_HOME", ".local/state");
  return state === null ? null : join(state, "timmy-bb", BOARD_FILE);
}

/** The user's own config file; `null` without a home directory. */
export function userConfigFile(surroundings: Surroundings): string | null {
  const config = xdgDirectory(surroundings, "XDG_CONFIG_HOME", ".config");
  return config === null ? null : join(config, "timmy-bb", "config.yaml");
}

/** A file for people: relative when it is inside the working directory. */
export function shownPath(file: string, cwd: string): string {
  const path = relative(cwd, file);
  const inside = path !== "" && path !== ".." && !path.startsWith(`..${sep}`) && !isAbsolute(path);
  return inside ? path : file;
}

function noHome(): BlackboardError {
  return new BlackboardError("config", "there is no home directory to expand ~/", {
    hint: "set HOME, or set TIMMY_BB_DATA_DIR to the directory that shall hold the board",
  });
}

/** The XDG specification has relative values ignored. */
function xdgDirectory(surroundings: Surroundings, variable: string, below: string): string | null {
  const value = surroundings.env[variable];
  if (value && isAbsolute(value)) return value;
  return surroundings.home === "" ? null : join(surroundings.home, below);
}
