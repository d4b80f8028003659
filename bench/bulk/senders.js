// Those who send a file: how many seconds it takes, and what a tool has of memory at most.
import { closeSync, createReadStream, openSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { timeOnce } from "../measure.js";
import { hasPeaks, peakIn, withPeak } from "../peak.js";

const knowsPeaks = hasPeaks();

/** As fast as the server takes it. @param answers how many bytes the answers have, all in all */
export async function sendPlainly(port, input, answers) {
  const start = performance.now();
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  let left = answers;
  const answered = new Promise((resolve, reject) => {
    socket.on("close", () => reject(new Error("the server has gone")));
    socket.on("data", (bytes) => {
      left -= bytes.length;
      if (left <= 0) resolve();
    });
  });
  createReadStream(input).pipe(socket, { end: false });
  await answered;
  const seconds = (performance.now() - start) / 1000;
  socket.removeAllListeners("close").destroy();
  if (left !== 0) throw new Error("the answers are longer than they should be");
  return { seconds };
}

/** A tool, from file to file. @param isDone whether its output says that all is done */
export async function sendThrough(subject, { input, output }, isDone) {
  const [from, to] = [openSync(input, "r"), openSync(output, "w")];
  const peak = `${output}.peak`;
  const seconds = (await timeOnce(knowsPeaks ? withPeak(subject, peak) : subject, { from, to })) / 1000;
  for (const descriptor of [from, to]) closeSync(descriptor);
  if (!isDone(readFileSync(output, "latin1")))
    throw new Error(`${subject.args.join(" ")}: not all is answered`);
  return knowsPeaks ? { seconds, peak: peakIn(peak) } : { seconds };
}
