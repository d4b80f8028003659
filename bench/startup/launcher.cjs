// bin/timmy-bb.js as far as a call that goes well needs it, with a look at the clock between the parts. The program itself is
// as it is: what it asks Node for tells where it is. `launcher.cjs WORDS…` writes the moments to its descriptor 3.
"use strict";
const marks = { begun: process.hrtime.bigint() };
const { writeSync } = require("node:fs");
const Module = require("node:module");
const mark = (name) => {
  marks[name] ??= process.hrtime.bigint();
};

// A store begins with Node's sockets, or with SQLite's binary.
const loadModule = Module._load;
Module._load = function (name, ...more) {
  if (name !== "node:net") return loadModule.call(this, name, ...more);
  mark("opening");
  const net = loadModule.call(this, name, ...more);
  return { ...net, connect: (...args) => net.connect(...args).once("connect", () => mark("open")) };
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

const { load } = require("../../bin/load.js");
const program = load(`${__dirname}/../../dist/timmy-bb.cjs`);
mark("loaded");
program
  .main(process.argv.slice(2), program.processIo(), program.surroundings())
  .then((code) => process.exit(code));
