/** Where the board file may lie, what it may be, and with which access. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "@photostructure/sqlite";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { mountedType } from "../../src/backends/memory/mounts.ts";
import { hasUnsynced } from "../../src/backends/memory/unsynced.ts";
import { tempDir } from "../helpers/temp.ts";
import {
  bundleStore,
  bytes,
  channels,
  cleanUp,
  inProcess,
  LIVE,
  newPath,
  open,
  plain,
  query,
  removeBundle,
  take,
} from "./memory-world.ts";

beforeAll(bundleStore);
afterEach(cleanUp);
afterAll(removeBundle);

const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

describe("the place of the board file", () => {
  test("directories are made 0700; the file, its WAL and its shared memory are 0600", async () => {
    const path = join(tempDir("memory"), "deep", "er", "board.db");
    const backend = await open(path);
    await backend.set("t:k", bytes("v"), plain());
    expect(modeOf(dirname(path))).toBe("700");
    expect(modeOf(dirname(dirname(path)))).toBe("700");
    for (const end of ["", "-wal", "-shm"]) expect(modeOf(`${path}${end}`)).toBe("600");
  });

  test("a path that is no URL, and no pattern, is taken as it is", async () => {
    const path = join(tempDir("memory"), "a b#?%41:ü.db");
    await (await open(path)).set("t:k", bytes("v"), plain());
    expect(existsSync(path)).toBe(true);
    expect(await (await open(path)).get("t:k")).toEqual(bytes("v"));
  });

  test("a symbolic link is refused, and so is a dangling one", async () => {
    const directory = tempDir("memory");
    writeFileSync(join(directory, "real.db"), "");
    symlinkSync(join(directory, "real.db"), join(directory, "board.db"));
    symlinkSync(join(directory, "none.db"), join(directory, "dangling.db"));
    const error = { kind: "config", message: expect.stringContaining("symbolic link") };
    await expect(open(join(directory, "board.db"))).rejects.toMatchObject(error);
    await expect(open(join(directory, "dangling.db"))).rejects.toMatchObject(error);
    expect(existsSync(join(directory, "none.db"))).toBe(false);
  });

  test("what is no regular file, or below one, is refused with the way out", async () => {
    const directory = tempDir("memory");
    mkdirSync(join(directory, "board.db"));
    writeFileSync(join(directory, "file"), "");
    const error = { kind: "config", hint: expect.stringContaining("TIMMY_BB_DATA_DIR") };
    await expect(open(join(directory, "board.db"))).rejects.toMatchObject(error);
    await expect(open(join(directory, "file", "board.db"))).rejects.toMatchObject(error);
  });

  test("a file that is no database is left as it is, and named", async () => {
    const path = newPath();
    writeFileSync(path, "this is not a database ".repeat(500));
    const error = {
      kind: "unavailable",
      message: expect.stringContaining(path),
      hint: expect.stringContaining("mv "),
    };
    await expect(open(path)).rejects.toMatchObject(error);
    expect(readFileSync(path, "utf8")).toBe("this is not a database ".repeat(500));
  });

  test("a damaged board is an error, not wrong data", async () => {
    const path = newPath();
    const backend = await open(path);
    for (let k = 0; k < 500; k++) await backend.set(`t:k${k}`, Buffer.alloc(500, k), plain());
    await backend.close();
    query(path, "PRAGMA wal_checkpoint(TRUNCATE)");
    const file = readFileSync(path);
    const damaged = join(tempDir("memory"), "board.db");
    writeFileSync(damaged, file.fill(0x5a, 4096, file.length - 4096));
    const read = async () => (await open(damaged)).get("t:k250");
    await expect(read()).rejects.toMatchObject({
      kind: "unavailable",
      message: expect.stringContaining("damaged"),
    });
  });

  test("another program's database is refused and not changed", async () => {
    const path = newPath();
    const other = new DatabaseSync(path);
    other.exec("CREATE TABLE bookmarks (url TEXT)");
    other.close();
    const before = readFileSync(path);
    await expect(open(path)).rejects.toMatchObject({
      kind: "config",
      message: expect.stringContaining("another program's"),
    });
    expect(readFileSync(path)).toEqual(before);
  });

  test("a newer timmy-bb's board is refused", async () => {
    const path = newPath();
    await (await open(path)).close();
    query(path, "PRAGMA user_version = 99");
    await expect(open(path)).rejects.toMatchObject({
      kind: "config",
      message: expect.stringContaining("newer"),
    });
  });

  test("a file whose journal mode was changed comes back to WAL", async () => {
    const path = newPath();
    // Its process has to end: the driver lets go of a file only when it collects the closed connection's statements.
    await inProcess(path, "").ended;
    expect(query(path, "PRAGMA journal_mode = DELETE")).toEqual([{ journal_mode: "delete" }]);
    await (await open(path)).set("t:k", bytes("v"), plain());
    expect(query(path, "PRAGMA journal_mode")).toEqual([{ journal_mode: "wal" }]);
  });

  test("a board file that is replaced or deleted is not used on as a ghost", async () => {
    const path = newPath();
    const backend = await open(path);
    await backend.set("t:k", bytes("v"), plain());
    const follower = backend.follow(channels("t:c"), LIVE);
    await follower.ready;
    const next = take(follower[Symbol.asyncIterator](), 1);
    renameSync(path, `${path}.old`);
    const error = { kind: "unavailable", message: expect.stringContaining("replaced or deleted") };
    await expect(backend.get("t:k")).rejects.toMatchObject(error);
    await expect(backend.set("t:k", bytes("w"), plain())).rejects.toMatchObject(error);
    await expect(next).rejects.toMatchObject(error);
    await backend.close().catch(() => {}); // its follower cannot sign off
    rmSync(`${path}.old`);
  });

  test("a directory that cannot be written is a setting to change", async () => {
    const directory = tempDir("memory");
    chmodSync(directory, 0o500);
    const failure = { kind: "config", message: expect.stringContaining(directory) };
    await asNobody(() => expect(open(join(directory, "board.db"))).rejects.toMatchObject(failure));
  });
});

test("no place at all, for want of a home directory, is said with the way out", async () => {
  const failure = { kind: "config", hint: expect.stringContaining("TIMMY_BB_DATA_DIR") };
  await expect(open("")).rejects.toMatchObject(failure);
});

test("a directory that can neither be made nor be there is said, not tried for ever", async () => {
  // Node's own recursive mkdir loops there.
  await expect(open("/proc/timmy-bb/deep/board.db")).rejects.toMatchObject({ kind: "config" });
});

/** Root may write anywhere, so for root this is done with another user's rights. */
async function asNobody(work: () => Promise<void>): Promise<void> {
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid?.(65_534);
  try {
    await work();
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
}

describe("the mark of unsynced writes", () => {
  test("is there from the first flagged write on, 0600, and not before", async () => {
    const path = newPath();
    const backend = await open(path, { flagUnsynced: true });
    await backend.get("t:k");
    await backend.expire("t:k", 1000);
    expect(hasUnsynced(path)).toBe(false);
    await backend.publish("t:c", bytes("m"), "me");
    expect(hasUnsynced(path)).toBe(true);
    expect(modeOf(`${path}.unsynced`)).toBe("600");
  });

  test("is not made by writes that are not flagged", async () => {
    const path = newPath();
    await (await open(path)).set("t:k", bytes("v"), plain());
    expect(hasUnsynced(path)).toBe(false);
  });
});

describe("mountedType", () => {
  const text = [
    "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw",
    "40 22 0:40 / /mnt/my\\040files rw,nosuid master:1 - fuse.sshfs host:/ rw",
    "41 22 0:41 / /mnt rw - virtiofs share rw",
    "42 22 0:42 / /over rw - ext4 /dev/vdb rw",
    "43 22 0:43 / /over rw shared:2 - fuse.fuse-overlayfs fuse-overlayfs rw",
  ].join("\n");

  test.each([
    ["/home/me", "ext4"],
    ["/mnt/my files/x", "fuse.sshfs"],
    ["/mnt/my", "virtiofs"],
    ["/mnt", "virtiofs"],
    ["/mntx", "ext4"],
    ["/over/a", "fuse.fuse-overlayfs"],
  ])("%s is on %s", (path, type) => {
    expect(mountedType(text, path)).toBe(type);
  });
});
