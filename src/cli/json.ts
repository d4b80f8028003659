/** The JSON forms of bytes and names: text where they are UTF-8, base64 under another name where they are not. */
import { isUtf8 } from "node:buffer";
import { encodeName, isTextName } from "../core/names.ts";

/** `{ [field]: text }`, or `{ [field]_base64: … }` if the bytes are not UTF-8. */
export function jsonBytes(field: string, value: Uint8Array): Record<string, string> {
  const buffer = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return isUtf8(buffer)
    ? { [field]: buffer.toString("utf8") }
    : { [`${field}_base64`]: buffer.toString("base64") };
}

/** The same for a name, with what else is known: to spread it into an object would take a call of many a tenth of its time. */
export function jsonName<Others extends object>(field: string, name: string, others?: Others) {
  const own: Record<string, string> = isTextName(name)
    ? { [field]: name }
    : jsonBytes(field, encodeName(name));
  return others === undefined ? own : Object.assign(own, others);
}
