// What was wanted of each claim, and which value says how it is.
import { valueAt } from "./results.js";

/** `of`: RESULT ROW COLUMN, as in performance.md. */
const TARGETS = [
  ...onEachStore((store) => ({
    claim: `One call on Node, ${store}: \`get\`, \`set\`, \`publish\` ÷ an empty script`,
    of: ["get", "set", "publish"].map((call) => `call timmy-bb-${call}-${store} node`),
    atMost: 1.6,
  })),
  ...onEachStore((store) => ({
    claim: `Peak memory of each, ${store} ÷ an empty script's`,
    of: ["get", "set", "publish"].map((call) => `call timmy-bb-${call}-${store} peakNode`),
    atMost: 1.35,
  })),
  target(
    "One `get` as the executable, memory ÷ `redis-cli get`",
    "standalone timmy-bb-get-memory redis-cli",
    { atMost: 2 },
  ),
  target("One `get` as the executable, redis ÷ `redis-cli get`", "standalone timmy-bb-get-redis redis-cli", {
    atMost: 2.5,
  }),
  ...onEachStore((store) => ({
    claim: `One \`get\` as the executable, ${store} ÷ \`etcdctl get\``,
    of: [`standalone timmy-bb-get-${store} etcdctl`],
    atMost: 1,
  })),
  ...onEachStore((store) => ({
    claim: `1,500 sets in a bash loop, ${store}: forking \`redis-cli\` ÷ the function of the executable`,
    of: [`shell the-function-of-the-executable-in-bash-${store} redis-cli`],
    atLeast: 8,
  })),
  ...onEachStore((store) => ({
    claim: `1,500 sets in a bash loop, ${store}: forking \`redis-cli\` ÷ the function on Node`,
    of: [`shell the-function-in-bash-${store} redis-cli`],
    atLeast: 8,
  })),
  target("`batch`, sets a second, redis", "bulk-sets batch-json-redis rate", { atLeast: 60_000 }),
  target("`batch`, sets a second, memory", "bulk-sets batch-json-memory rate", { atLeast: 100_000 }),
  target("`publish --lines`, messages a second, redis", "bulk-messages publish-lines-redis rate", {
    atLeast: 60_000,
  }),
  target("`publish --lines`, messages a second, memory", "bulk-messages publish-lines-memory rate", {
    atLeast: 100_000,
  }),
  target("1,000,000 keys: `redis-cli --scan` ÷ `keys`", "scale keys scan", { atLeast: 8 }),
  target("1,000,000 keys: `keys` ÷ the blocking `KEYS`", "scale keys blocking", { atMost: 3 }),
  target("1,000,000 keys: peak memory of `keys`", "scale keys peak", { atMost: 200 }),
  target("1,000,000 keys: first line of `keys --unsorted`", "scale keys-unsorted first", { atMost: 300 }),
  target(
    "1,000,000 keys: `redis-cli --scan` into `xargs redis-cli unlink` ÷ `clear`",
    "scale-clear clear ratio",
    {
      atLeast: 5,
    },
  ),
  {
    claim: "1,000,000 keys: server commands of over 5 ms by `keys`, `--unsorted`, `--long`, `clear`",
    of: ["scale keys slow", "scale keys-unsorted slow", "scale keys-long slow", "scale-clear clear slow"],
    atMost: 0,
  },
  target("A `get` on memory among 1,000,000 keys ÷ among 10", "among timmy-bb-get-whole-process ratio", {
    atMost: 1.05,
  }),
];

function onEachStore(made) {
  return ["memory", "redis"].map(made);
}

function target(claim, of, bound) {
  return { claim, of: [of], ...bound };
}

/** As a table. */
export function targetLines(results) {
  const lines = TARGETS.map(({ claim, of, atMost, atLeast }) => {
    const found = of.map((place) => {
      const [name, row, column] = place.split(" ");
      return valueAt(results[name], row, column);
    });
    const isMet = found.every(({ value }) => (atMost === undefined ? value >= atLeast : value <= atMost));
    const wanted = atMost === undefined ? `≥ ${atLeast.toLocaleString("en-US")}` : atMost && `≤ ${atMost}`;
    return `| ${claim} | ${wanted} | ${found.map(({ shown }) => shown).join(", ")} | ${isMet ? "yes" : "**no**"} |`;
  });
  return ["| | wanted | measured | met |", "| --- | ---: | ---: | --- |", ...lines];
}
