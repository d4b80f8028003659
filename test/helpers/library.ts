/** The built library, `dist/index.js`, with the types of its source. */
import { pathToFileURL } from "node:url";
import { ROOT } from "./cli.ts";

export const LIBRARY = `${ROOT}dist/index.js`;
export const library = (await import(pathToFileURL(LIBRARY).href)) as typeof import("../../src/index.ts");
