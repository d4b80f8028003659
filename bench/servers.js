// The servers of the benches, each on a free port of the loopback: that is how their users reach them by default.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";

// Debian keeps servers where a user's PATH does not look; Node 20 pays some 60 ms a start for the certificates.
const { NODE_EXTRA_CA_CERTS: _, ...inherited } = process.env;
export const childEnv = { ...inherited, PATH: `${inherited.PATH}:/usr/sbin` };

const SECONDS_TO_START = 10;

/** Whether a program is there; says what to install if not. */
export function isInstalled(command, hint) {
  const found = spawnSync("which", [command], { env: childEnv }).status === 0;
  if (!found) console.error(`${command} is not installed: ${hint}`);
  return found;
}

/** Nothing is saved: the bench is about messages. */
export async function startRedis(dir, ...more) {
  const port = await freePort();
  const place = ["--bind", "127.0.0.1", "--port", port, "--dir", dir];
  const options = [...place, "--save", "", "--appendonly", "no", ...more];
  return started(port, "redis-server", options);
}

/**
 * Mosquitto keeps at most 1,000 messages for a slow receiver and drops what is beyond (2.0), so the limit is lifted; and
 * its sockets wait for full packets unless told otherwise, which the others' do not.
 */
export async function startMosquitto(dir) {
  const port = await freePort();
  const config = join(dir, "mosquitto.conf");
  const lines = [
    "allow_anonymous true",
    "persistence false",
    "max_queued_messages 0",
    "set_tcp_nodelay true",
  ];
  const user = process.getuid() === 0 ? ["user root"] : [];
  writeFileSync(config, `${[`listener ${port} 127.0.0.1`, ...lines, ...user, ""].join("\n")}`);
  return started(port, "mosquitto", ["-c", config]);
}

/** Where `etcdctl` finds it: version 3.4 listens for its peers, too. */
export async function startEtcd(dir) {
  const [port, peers] = [await freePort(), await freePort()];
  const [url, peerUrl] = [port, peers].map((number) => `http://127.0.0.1:${number}`);
  const clients = ["--listen-client-urls", url, "--advertise-client-urls", url];
  const cluster = ["--listen-peer-urls", peerUrl, "--initial-advertise-peer-urls", peerUrl];
  const server = await started(port, "etcd", [
    ...["--data-dir", join(dir, "etcd"), ...clients, ...cluster],
    ...["--initial-cluster", `default=${peerUrl}`],
  ]);
  return { ...server, url };
}

async function started(port, command, args) {
  const server = spawn(command, args.map(String), { stdio: "ignore", env: childEnv });
  const until = Date.now() + SECONDS_TO_START * 1000;
  while (!(await isListening(port))) {
    if (Date.now() > until || server.exitCode !== null) throw new Error(`${command} does not start`);
  }
  return { port, stop: () => server.kill() };
}

async function isListening(port) {
  const socket = connect(port, "127.0.0.1");
  const answer = await Promise.race([
    once(socket, "connect").then(() => true),
    once(socket, "close").then(() => false),
  ]).catch(() => false);
  socket.destroy();
  return answer;
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  return port;
}
