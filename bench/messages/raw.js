// Plain sockets that speak just enough of RESP and MQTT: what a server costs without a library in front of it.
import { once } from "node:events";
import { connect } from "node:net";

/** @param wordsOf the command that publishes a text; PUBLISH itself if not told */
export async function openResp(port, channel, wordsOf = (text) => ["PUBLISH", channel, text]) {
  const socket = await connected(port);
  const pending = [];
  let onReply = (block) => pending.shift()(block);
  onBlocks(socket, respEnd, (block) => onReply(block));
  const send = (...words) => socket.write(words.reduce(bulk, `*${words.length}\r\n`));
  return {
    ask: (...words) => answered(pending, () => send(...words)),
    publish: (text) => answered(pending, () => send(...wordsOf(text))),
    async follow(onPayload) {
      await answered(pending, () => send("SUBSCRIBE", channel));
      onReply = (block) => onPayload(lastBulk(block));
    },
    close: () => socket.destroy(),
  };
}

/** Quality of service 0: nothing is answered, so publishing is over when the bytes are handed to the system. */
export async function openMqtt(port, channel) {
  const socket = await connected(port);
  const pending = [];
  let onReply = () => pending.shift()();
  onBlocks(socket, mqttEnd, (block) => onReply(block));
  const hello = [Buffer.from([4, 2, 0, 0]), text(`bench-${process.pid}-${Math.random()}`)];
  await answered(pending, () => socket.write(packet(0x10, text("MQTT"), ...hello)));
  return {
    publish: (payload) =>
      new Promise((resolve) => socket.write(packet(0x30, text(channel), Buffer.from(payload)), resolve)),
    async follow(onPayload) {
      const topic = [text(channel), Buffer.from([0])];
      await answered(pending, () => socket.write(packet(0x82, Buffer.from([0, 1]), ...topic)));
      onReply = (block) => onPayload(mqttPayload(block));
    },
    close: () => socket.destroy(),
  };
}

async function connected(port) {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  return socket;
}

function answered(pending, send) {
  return new Promise((resolve) => {
    pending.push(resolve);
    send();
  });
}

/** Cuts what comes into replies; `endOf` tells where the one at a place ends, -1: not all of it is here. */
function onBlocks(socket, endOf, onBlock) {
  let rest = Buffer.alloc(0);
  socket.on("data", (chunk) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = endOf(bytes, 0); end >= 0; end = endOf(bytes, start)) {
      onBlock(bytes.subarray(start, end));
      start = end;
    }
    rest = bytes.subarray(start);
  });
}

function bulk(command, word) {
  return `${command}$${Buffer.byteLength(word)}\r\n${word}\r\n`;
}

/** Of a reply that is a line, a bulk string or an array of these. */
function respEnd(bytes, start) {
  const line = bytes.indexOf("\r\n", start);
  if (line < 0) return -1;
  const size = Number(bytes.latin1Slice(start + 1, line));
  if (bytes[start] === 0x24 && size >= 0) return line + size + 4 <= bytes.length ? line + size + 4 : -1;
  let end = line + 2;
  for (let left = bytes[start] === 0x2a ? size : 0; left > 0 && end >= 0; left--) end = respEnd(bytes, end);
  return end;
}

function lastBulk(block) {
  const end = block.length - 2;
  return block.subarray(block.lastIndexOf("\r\n", end - 1) + 2, end);
}

function mqttEnd(bytes, start) {
  const [size, at] = remaining(bytes, start + 1);
  return at > 0 && at + size <= bytes.length ? at + size : -1;
}

function mqttPayload(block) {
  const [, at] = remaining(block, 1);
  return block.subarray(at + 2 + block.readUInt16BE(at));
}

/** MQTT's "remaining length", seven bits a byte, and where it ends; -1: not all of it is here. */
function remaining(bytes, start) {
  let size = 0;
  for (let at = start, shift = 0; at < bytes.length; at++, shift += 7) {
    size += (bytes[at] & 127) << shift;
    if (bytes[at] < 128) return [size, at + 1];
  }
  return [0, -1];
}

function packet(kind, ...parts) {
  const body = Buffer.concat(parts);
  const head = [kind];
  for (let size = body.length; ; size >>= 7) {
    head.push(size > 127 ? (size & 127) | 128 : size);
    if (size <= 127) return Buffer.concat([Buffer.from(head), body]);
  }
}

function text(string) {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(Buffer.byteLength(string));
  return Buffer.concat([length, Buffer.from(string)]);
}
