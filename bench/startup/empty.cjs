// An empty script that says, as launcher.cjs does, when it began and when it ended.
const begun = String(process.hrtime.bigint());
process.on("exit", () => {
  const ended = String(process.hrtime.bigint());
  require("node:fs").writeSync(3, JSON.stringify({ begun, ended }));
});
