/** A payload as a file that nobody else can find, for the standard input of a command. */

import { randomUUID } from "node:crypto";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * A real file, already unlinked, to be read from its beginning: what Node calls a pipe is a socket, which cannot be opened as
 * /dev/stdin and makes bash believe that it was called over a network and is to read ~/.bashrc. `null` if there is
 * no place for it: then a socket must do.
 */
export async function payloadFile(payload: Uint8Array): Promise<FileHandle | null> {
  const path = join(tmpdir(), `timmy-bb-${randomUUID()}`);
  const file = await open(path, "wx+", 0o600).catch(() => null);
  if (file === null) return null;
  try {
    await unlink(path);
    await writeAll(file, payload);
    return file;
  } catch {
    await file.close();
    return null;
  }
}

/** At given places, so that the file's own stays at its beginning. */
async function writeAll(file: FileHandle, payload: Uint8Array): Promise<void> {
  for (let at = 0; at < payload.length; ) {
    const { bytesWritten } = await file.write(payload, at, payload.length - at, at);
    at += bytesWritten;
  }
}
