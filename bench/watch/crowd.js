// Many watchers in one process: `crowd.js CLIENT PLACES HOW_MANY`. Tells its parent when they are ready, and then each time when all of
// them have seen one more change.
import { CLIENTS } from "../messages/clients.js";

const [name, places, howMany] = process.argv.slice(2);
let seen = 0;
for (let at = 0; at < Number(howMany); at++) {
  const client = await CLIENTS[name](JSON.parse(places));
  await client.follow(() => {
    seen++;
    if (seen % Number(howMany) === 0) process.send(seen);
  });
}
process.send("ready");
process.on("message", () => {}); // lives as long as its parent
