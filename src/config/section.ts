/** The entries of the `blackboard` section: known names, each once, each a plain value, with their lines. */
import type { Pair as YamlPair } from "yaml";
import { BlackboardError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import { offsetOf, SECTION, type Section, type Source, type YamlModule } from "./document.ts";
import { printable } from "./printable.ts";
import { SETTINGS } from "./settings.ts";

/** One line of the section. */
export interface Entry {
  /** `redis.url` */
  readonly path: string;
  readonly line: number;
  /** What YAML made of it; `undefined` is a list or a map. */
  readonly value: unknown;
}

const PATHS: readonly string[] = SETTINGS.flatMap(({ paths }) => paths);
const GROUPS: ReadonlySet<string> = new Set(PATHS.filter((path) => path.includes(".")).map(groupOf));

/** @throws BlackboardError `config`, naming `file` and the line, and never a value */
export function readEntries(section: Section, file: string): Entry[] {
  return [...entriesOf({ ...section, file }, section.pair, "")];
}

interface Place extends Source {
  readonly file: string;
}

type Pair = YamlPair<unknown, unknown>;

/** The entries below one key: of the whole section for "", of a group for its name. */
function* entriesOf(place: Place, parent: Pair, group: string): Generator<Entry> {
  refuseIndirection(place, parent);
  const { key, value: map } = parent;
  if (isEmpty(place, map)) return;
  if (!place.yaml.isMap(map)) throw wrong(place, key, `${shown(group)} must be a map of settings`);
  const seen = new Map<string, number>();
  for (const pair of map.items) {
    const path = pathOf(place, pair, group);
    const line = place.lineAt(offsetOf(pair.key));
    const first = seen.get(path);
    if (first !== undefined)
      throw wrong(place, pair.key, `${shown(path)} is given twice (first in line ${first})`);
    seen.set(path, line);
    if (GROUPS.has(path)) yield* entriesOf(place, pair, path);
    else yield { path, line, value: plainValue(place, pair) };
  }
}

/** The known path a pair stands for. */
function pathOf(place: Place, pair: Pair, group: string): string {
  const { key } = pair;
  // `{ password: ab,cd }` makes an entry `cd` without a value: never shown, it may be half a password.
  if (pair.value === null) {
    throw wrong(place, key, "an entry has no value", "put text that holds a comma in quotes");
  }
  refuseIndirection(place, pair);
  if (!place.yaml.isScalar(key)) throw wrong(place, key, "a list or a map cannot be the name of a setting");
  const name = String(key.value);
  const path = group === "" ? name : `${group}.${name}`;
  const isKnown = PATHS.includes(path) || GROUPS.has(path);
  if (isKnown && leafOf(path) === name) return path; // `redis.url: x` is not `redis: { url: x }`
  const own = group === "" ? SECTION : shown(group);
  throw wrong(place, key, `${own}.${printable(name)} is not a setting`, nearHint(name, group));
}

function plainValue(place: Place, pair: Pair): unknown {
  return place.yaml.isScalar(pair.value) ? pair.value.value : undefined;
}

/** An empty group is one whose settings are commented out. */
function isEmpty(place: Place, node: unknown): boolean {
  return place.yaml.isScalar(node) && node.value === null && node.source === "";
}

/** What stands in our section stands there itself. */
function refuseIndirection(place: Place, pair: Pair): void {
  for (const node of [pair.key, pair.value]) {
    const found = indirection(place.yaml, node);
    if (found !== null) throw wrong(place, node, `${found} cannot be used in the ${SECTION} section`);
  }
}

function indirection(yaml: YamlModule, node: unknown): string | null {
  if (yaml.isAlias(node)) return "an alias";
  if (!yaml.isNode(node)) return null;
  if ("anchor" in node && node.anchor) return "an anchor";
  if (node.tag) return "a tag";
  return yaml.isScalar(node) && node.value === "<<" && node.type === "PLAIN" ? "a merge key" : null;
}

function nearHint(name: string, group: string): string {
  if (PATHS.includes(name)) return `write ${leafOf(name)} below ${groupOf(name)}`;
  const here = [...PATHS, ...GROUPS].filter((path) => groupOf(path) === group).map(leafOf);
  const near = nearest(name, here);
  if (near !== null) return `did you mean "${near}"?`;
  const elsewhere = nearest(name, PATHS.map(leafOf));
  const path = PATHS.find((candidate) => elsewhere !== null && leafOf(candidate) === elsewhere);
  return path === undefined ? `settings here: ${here.join(", ")}` : `did you mean "${path}"?`;
}

function groupOf(path: string): string {
  return path.includes(".") ? path.slice(0, path.indexOf(".")) : "";
}

function leafOf(path: string): string {
  return path.slice(path.indexOf(".") + 1);
}

function shown(path: string): string {
  return path === "" ? SECTION : `${SECTION}.${path}`;
}

function wrong(place: Place, node: unknown, what: string, hint?: string): BlackboardError {
  const message = `${place.file}:${place.lineAt(offsetOf(node))}: ${what}`;
  return new BlackboardError("config", message, hint === undefined ? {} : { hint });
}
