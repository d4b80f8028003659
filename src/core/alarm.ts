/** Timers for any time: Node's own fire at once when told to wait over 24.8 days. */

const LONGEST_MS = 2_147_483_647;

/** Calls back once after the given milliseconds. What is returned calls it off. */
export function setAlarm(ms: number, ring: () => void): () => void {
  let timer: NodeJS.Timeout;
  const wait = (leftMs: number) => {
    const stepMs = Math.min(Math.max(leftMs, 0), LONGEST_MS); // newer Nodes warn of what is overdue
    timer = setTimeout(() => (leftMs > stepMs ? wait(leftMs - stepMs) : ring()), stepMs);
  };
  wait(ms);
  return () => clearTimeout(timer);
}
