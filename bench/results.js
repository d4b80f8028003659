// What `npm run bench -- --save` has kept: read, and one value of it.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { RESULTS, shown } from "./report.js";

/** By name. One that is missing is said when it is asked for. */
export function keptResults() {
  const files = readdirSync(RESULTS).filter((name) => name.endsWith(".json"));
  const all = files.map((file) => JSON.parse(readFileSync(join(RESULTS, file), "utf8")));
  return new Proxy(Object.fromEntries(all.map((result) => [result.name, result])), {
    get(results, name) {
      if (name in results) return results[name];
      throw new Error(`no result ${String(name)}: npm run bench -- --save makes it`);
    },
  });
}

/** A value, and as people read it. @throws if it was not measured */
export function valueAt({ name, rows, columns }, rowId, columnId) {
  const value = rows.find(({ id }) => id === rowId)?.[columnId];
  const column = columns.find(({ id }) => id === columnId);
  if (value !== undefined && column !== undefined) return { value, shown: shown(value, column) };
  const [have, of] = [rows, columns].map((all) => all.map(({ id }) => id).join(", "));
  throw new Error(`${name} has no ${rowId} ${columnId}; its rows: ${have}; its columns: ${of}`);
}
