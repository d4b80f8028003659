// The plots of docs/performance.md: which results each shows.
import { valueAt } from "../results.js";
import { barChart } from "./svg.js";

const OURS = "#0969da";
const OURS_LIGHT = "#80b8f5";
const PEER = "#818b98";
const PEER_LIGHT = "#c8d1da";
const STACK = {
  node: PEER,
  load: "#0969da",
  prepare: "#54aeff",
  open: "#1a7f37",
  command: "#bf8700",
  exit: PEER_LIGHT,
};

const WHO = [
  { name: "timmy-bb: each change logged, with author and id", color: OURS },
  { name: "redis-cli or a plain socket: nothing logged", color: PEER },
];

/** The rows of the result `scale` that list all keys. */
const LISTINGS = ["redis-cli-keys", "redis-cli-scan", "keys", "keys-unsorted"];

/** By the name of the file: the chart, given the results by name. */
export const PLOTS = {
  startup: ({ startup, call }) => ({
    title: `One get on Node: ${at(call, "timmy-bb-get-memory", "node")} × an empty script on memory, ${at(call, "timmy-bb-get-redis", "node")} × on redis`,
    axis: "milliseconds, less is better",
    legend: startup.columns
      .filter(({ id }) => id in STACK)
      .map(({ id, head }) => ({ name: head, color: STACK[id] })),
    sections: [
      { rows: startup.rows.map((row) => ({ label: plain(row.name), bars: [stacked(startup, row)] })) },
    ],
    of: startup,
  }),
  loop: ({ shell }) => ({
    title: `1,500 sets in a bash loop: forking redis-cli takes ${at(shell, "the-function-in-bash-redis", "redis-cli")} × as long as the function on redis`,
    axis: "milliseconds a call, all included, less is better",
    legend: WHO,
    sections: [{ rows: shell.rows.map((row) => single(shell, row, "call")) }],
    of: shell,
  }),
  bulk: ({ "bulk-sets": sets, "bulk-messages": messages }) => ({
    title: `Logged sets a second, in one go: ${at(sets, "batch-json-memory", "rate")} on memory, ${at(sets, "batch-json-redis", "rate")} on redis`,
    axis: "a second, more is better",
    legend: WHO,
    sections: [
      { heading: "sets", rows: sets.rows.map((row) => single(sets, row, "rate")) },
      { heading: "messages", rows: messages.rows.map((row) => single(messages, row, "rate")) },
    ],
    of: sets,
  }),
  scale: ({ scale, "scale-clear": clear }) => ({
    title: `1,000,000 keys on redis: keys ${at(scale, "keys", "scan")} × as fast as --scan, clear ${at(clear, "clear", "ratio")} × as fast as unlink`,
    axis: "seconds, less is better",
    legend: WHO,
    sections: [
      { heading: "all keys listed", rows: scaleRows(scale, "wall") },
      { heading: "the first line of it", rows: scaleRows(scale, "first", 1000) },
      { heading: "keys deleted", rows: clear.rows.map((row) => single(clear, row, "wall")) },
    ],
    of: scale,
  }),
  latency: ({ "messages-clients": clients, "messages-tools": tools }) => ({
    title: `From publish to receipt: ${at(clients, "timmy-bb-memory", "p50")} on memory, ${at(clients, "timmy-bb-redis", "p50")} on redis (p50)`,
    axis: "milliseconds, less is better",
    legend: [
      { name: "timmy-bb p50", color: OURS },
      { name: "p99", color: OURS_LIGHT },
      { name: "the others p50", color: PEER },
      { name: "p99", color: PEER_LIGHT },
    ],
    sections: [
      { heading: "node client to node client", rows: clients.rows.map((row) => spread(clients, row)) },
      { heading: "line in to line out, tool to tool", rows: tools.rows.map((row) => spread(tools, row)) },
    ],
    of: clients,
  }),
};

/** By the name of the file: its title and its SVG. */
export function plotsOf(results) {
  return Object.entries(PLOTS).map(([name, chartOf]) => {
    const { of, ...chart } = chartOf(results);
    const { machine, versions, date, command } = of;
    const { node, ...peers } = versions;
    const programs = Object.entries(peers).map(([program, version]) => `${program} ${version}`);
    const where = `${machine.cores} cores ${machine.cpu}, ${machine.system}, ${[`node ${node}`, ...programs].join(", ")}, ${date}`;
    return { name, title: chart.title, svg: barChart({ ...chart, footer: [command, where] }) };
  });
}

function stacked(startup, row) {
  const parts = Object.entries(STACK).filter(([id]) => row[id] !== undefined);
  return {
    parts: parts.map(([id, color]) => ({ value: row[id], color })),
    shown: valueAt(startup, row.id, "whole").shown,
  };
}

function single(result, row, column, divisor = 1) {
  return { label: plain(row.name), bars: [bar(result, row, column, isOurs(row) ? OURS : PEER, divisor)] };
}

function scaleRows(scale, column, divisor = 1) {
  const rows = scale.rows.filter(({ id }) => LISTINGS.includes(id));
  return rows.map((row) => single(scale, row, column, divisor));
}

function spread(result, row) {
  const [dark, light] = isOurs(row) ? [OURS, OURS_LIGHT] : [PEER, PEER_LIGHT];
  return { label: plain(row.name), bars: [bar(result, row, "p50", dark), bar(result, row, "p99", light)] };
}

/** @param divisor from the column's unit to the axis's */
function bar(result, row, column, color, divisor = 1) {
  const { value, shown } = valueAt(result, row.id, column);
  return { parts: [{ value: value / divisor, color }], shown };
}

function at(result, row, column) {
  return valueAt(result, row, column).shown;
}

/** Everything that is not a peer's. */
function isOurs({ name }) {
  return !/redis-cli|mosquitto|bare|plain|etcdctl|flock/.test(name);
}

function plain(markdown) {
  return markdown.replaceAll("`", "");
}
