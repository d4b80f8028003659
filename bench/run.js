// `npm run bench` runs every script here, `npm run bench -- NAME` one. Each prints ratios, side by side with its peers.
const SCRIPTS = ["get", "startup", "messages", "watch", "lock", "work", "replay", "rss"];

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !SCRIPTS.includes(name));
if (unknown.length > 0) {
  console.error(`no such bench: ${unknown.join(", ")}; there are: ${SCRIPTS.join(", ")}`);
  process.exit(2);
}
for (const name of asked.length > 0 ? asked : SCRIPTS) await import(`./${name}.js`);
