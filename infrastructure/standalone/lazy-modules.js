// An esbuild plugin: each of our modules is run, and each built-in one loaded, when something of it is first used, not when
// it is imported. A call uses few: of some 250 modules `get` runs 60, and of what they import it uses a third. Running the rest
// took as long as the call (4 of 9 ms, measured). No module of ours does anything but define things, so none can tell.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { transform } from "esbuild";

/** `define`: what is known at build time. */
export const lazyModules = (define) => ({
  name: "lazy-modules",
  setup({ initialOptions, onResolve, onLoad, onEnd }) {
    Object.assign(initialOptions, { minify: false, write: false }); // both are done at the end
    onResolve({ filter: /^\.\.?\/.*\.ts$/ }, ({ path, resolveDir }) => ({
      path: relative(process.cwd(), resolve(resolveDir, path)), // it stands in what is built
      namespace: "lazy", // and not "file", where package.json would make it a module of the other kind
    }));
    onResolve({ filter: /^[^.]/ }, ({ path, namespace }) =>
      namespace === "lazy" ? packageOf(path) : undefined,
    );
    onLoad({ filter: /./, namespace: "lazy" }, async ({ path }) => {
      const { code } = await transform(readFileSync(path, "utf8"), {
        loader: "ts",
        format: "cjs",
        supported: { "dynamic-import": false },
        define,
        sourcefile: path,
      });
      return { contents: whenUsed(plainly(code)), resolveDir: dirname(resolve(path)) };
    });
    onEnd(async ({ outputFiles = [] }) => {
      for (const { path, text } of outputFiles) {
        const { target } = initialOptions;
        const { code } = await transform(asFunctions(text), { format: "cjs", minify: true, target });
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, code);
      }
    });
  },
});

/** As the build of the command has bundled it: all that it is made of inside one function. */
function packageOf(name) {
  const bundled = resolve("dist", `${name}.cjs`);
  return existsSync(bundled) ? { path: bundled } : undefined;
}

/**
 * What a module exports are properties of an object. esbuild makes each of them a function that is called at every use, by helpers that each
 * module has for itself, which took a fifth of a call (measured). No export of ours is ever assigned again, so none can tell.
 */
function plainly(code) {
  const [head, helpers, , listed] =
    /^([\s\S]*?)var (\w+) = \{\};\n__export\(\2, \{\n([\s\S]*?)\n\}\);\nmodule\.exports = __toCommonJS\(\2\);\n/.exec(
      code,
    ) ?? [];
  if (head === undefined) {
    if (code.includes("__toCommonJS("))
      throw new Error("esbuild writes exports in another form than this plugin knows");
    return code;
  }
  const body = code.slice(head.length).replace(/__toESM\((require\("\.[^"]*"\))\)/g, "$1");
  const needed = body.includes("__toESM(") ? helpers : ""; // for a package
  const exported = [...listed.matchAll(/^ {2}"?(\w+)"?: \(\) => (.*?),?$/gm)].map(([, as, what]) =>
    /^\w+$/.test(what)
      ? `exports.${as} = ${what};`
      : `Object.defineProperty(exports, "${as}", { enumerable: true, get: () => ${what} });`,
  );
  return `${needed}${body}\n${exported.join("\n")}\n`;
}

/**
 * `var import_x = require("x");` goes, and `import_x.name` becomes `(import_x ??= require("x")).name`: all that esbuild makes of an
 * import are these two forms.
 */
function whenUsed(code) {
  const imports = /^var (import_\w+) = (.*require\(".*);$/gm;
  const found = [...code.matchAll(imports)];
  const used = found.reduce(
    (text, [, name, load]) => text.replace(new RegExp(`\\b${name}\\b`, "g"), `(${name} ??= ${load})`),
    code.replace(imports, ""),
  );
  return found.length === 0 ? code : `var ${found.map(([, name]) => name).join(", ")};\n${used}`;
}

/**
 * Each module is a function that is declared, which costs nothing until it is called: what esbuild makes of one is three objects and a call
 * as soon as the program begins, and there are some 290.
 */
function asFunctions(code) {
  const module =
    /^var require_(\w+) = __commonJS\(\{\n {2}"lazy:[^"]*"\((\w+)\) \{\n([\s\S]*?)\n {2}\}\n\}\);$/gm;
  const flat = code.replace(
    module,
    (_, name, exported, body) => `var made_${name};
function require_${name}() {
  if (made_${name} !== undefined) return made_${name};
  const ${exported} = made_${name} = {};
${body}
  return ${exported};
}`,
  );
  if (flat.includes('__commonJS({\n  "lazy:'))
    throw new Error("esbuild writes modules in another form than this plugin knows");
  return flat;
}
