/**
 * File systems on which processes cannot share a SQLite file in WAL mode: it needs working locks and shared
 * memory, which network file systems and those between a host and its guests do not give
 * (https://sqlite.org/wal.html). Linux only: other systems number their file systems in other ways, far from these.
 */
import { readFileSync, realpathSync, statfsSync } from "node:fs";

/** Magic numbers of statfs(2) and linux/magic.h. */
const REFUSED: ReadonlyMap<number, string> = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xfe534d42, "SMB"],
  [0xff534d42, "CIFS"],
  [0x01021997, "9p"],
  [0x00c36400, "Ceph"],
  [0x5346414f, "AFS"],
  [0x73757245, "Coda"],
  [0x0bd00bd0, "Lustre"],
  [0x786f4256, "a VirtualBox shared folder"],
  [0xbacbacbc, "a VMware shared folder"],
]);
const FUSE = 0x65735546;
/** FUSE file systems that keep files on this machine; virtiofs, sshfs and all others are refused. */
const LOCAL_FUSE = new Set(["fuseblk", "fuse.fuse-overlayfs"]);

/** What the directory is on, if processes cannot share a board there, else `null`. */
export function unsharedReason(directory: string): string | null {
  const magic = statfsSync(directory).type >>> 0;
  if (magic !== FUSE) return REFUSED.get(magic) ?? null;
  const type = mountedType(readFileSync("/proc/self/mountinfo", "utf8"), realpathSync(directory));
  return type !== null && LOCAL_FUSE.has(type) ? null : (type ?? "an unknown FUSE file system");
}

/**
 * The type of the file system a path is on, from the text of proc(5)'s mountinfo: that of the longest mount point
 * above it, the last one if several are mounted there.
 */
export function mountedType(mountinfo: string, path: string): string | null {
  let longest = "";
  let type: string | null = null;
  for (const line of mountinfo.split("\n")) {
    const mount = /^\S+ \S+ \S+ \S+ (\S+) .*? - (\S+) /.exec(line);
    const point = unescapeOctal(mount?.[1] ?? "");
    if (point.length < longest.length || !isWithin(path, point)) continue;
    longest = point;
    type = mount?.[2] ?? null;
  }
  return type;
}

function isWithin(path: string, point: string): boolean {
  return path === point || (point !== "" && path.startsWith(point.endsWith("/") ? point : `${point}/`));
}

/** mountinfo writes blanks and backslashes as `\040`. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
