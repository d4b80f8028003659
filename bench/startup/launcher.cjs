// bin/timmy-bb.js as far as a call that goes well needs it, with a look at the clock between the parts. The program itself is
// as it is: what it asks Node for tells where it is. `launcher.cjs WORDS…` writes the moments to its descriptor 3.
"use strict";
const marks = { begun: process.hrtime.bigint() };
const { writeSync } = require("node:fs");
const mark = (name) => {
  marks[name] ??= process.hrtime.bigint();
};

// A store begins with Node's sockets (see src/quick-socket.ts), or with SQLite's binary.
const { binding } = process;
process.binding = (name) => {
  mark("opening");
  const parts = binding.call(process, name);
  if (name !== "stream_wrap") return parts;
  // The first thing that is written says that it is connected.
  const WriteWrap = class extends parts.WriteWrap {
    constructor() {
      super();
      mark("open");
    }
  };
  return { ...parts, WriteWrap };
};
const { dlopen } = process;
process.dlopen = (addon, ...more) => {
  mark("opening");
  dlopen.call(process, addon, ...more);
  const { DatabaseSync } = addon.exports;
  addon.exports.DatabaseSync = class extends DatabaseSync {
    constructor(...args) {
      super(...args);
      mark("open");
    }
  };
};

process.on("exit", () => {
  mark("ended");
  writeSync(
    3,
    JSON.stringify(marks, (_, moment) => (typeof moment === "bigint" ? String(moment) : moment)),
  );
});

const { load } = require("../../bin/timmy-bb.js");
const program = load(`${__dirname}/../../dist/timmy-bb.cjs`);
mark("loaded");
program.start(process.argv.slice(2)).then((code) => process.exit(code));
