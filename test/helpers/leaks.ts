/** What keeps this process alive, by kind: so that a test can see whether closing let go of it. */

export interface ResourceCounts {
  /** TCP and unix sockets. */
  readonly sockets: number;
  /** Watched files and directories. */
  readonly watchers: number;
}

export function resourceCounts(): ResourceCounts {
  const names = process.getActiveResourcesInfo();
  const count = (pattern: RegExp) => names.filter((name) => pattern.test(name)).length;
  return { sockets: count(/^TCPSocketWrap$/), watchers: count(/^(FSEventWrap|StatWatcher)$/) };
}
