// A small program that uses the library as any other would: `library-program.js LIBRARY DEED`. It says nothing and
// never calls process.exit, so that a handle left open would keep it alive.
import { pathToFileURL } from "node:url";

const [path, deedText] = process.argv.slice(2);
const { openBlackboard } = await import(pathToFileURL(path).href);
const deed = JSON.parse(deedText);
const board = await openBlackboard();

switch (deed.do) {
  case "incr":
    for (let count = 0; count < deed.times; count++) await board.incr(deed.key);
    break;
  case "publish":
    await board.publish(deed.channel, deed.payload);
    break;
  case "everything":
    await useEverything();
    break;
  default:
    throw new Error("no such deed");
}
await board.close();
await board.close(); // safe to call twice

/** Leaves followers open: closing the board must end them. */
async function useEverything() {
  await board.set("key", "value", { ttlMs: 60_000 });
  await board.get("key");
  const follower = board.subscribe(["channel", "chan*"]);
  await follower.ready;
  const heard = new Promise((resolve) => {
    board.subscribe("channel", resolve).then(() => board.publish("channel", "payload"));
  });
  await heard;
  const watcher = board.watch(["key", "k*"], { initial: true });
  for await (const _change of board.watch("*", { initial: true })) break;
  await watcher.ready;
  await board.wait("key", { value: "value" });
  for await (const _change of board.history("key")) break;
  for await (const _key of board.keys()) break; // a listing not read to its end
  await board.status();
}
