/** `lock run` on a terminal: the command has it as if nobody stood between. */
import { afterAll, describe, expect, test } from "vitest";
import { killProcesses } from "../helpers/processes.ts";
import { Terminal } from "../helpers/pty.ts";
import { removeTempDirs } from "../helpers/temp.ts";
import { Workplace } from "../helpers/workplace.ts";

afterAll(() => {
  killProcesses();
  removeTempDirs();
});

describe.concurrent("on a terminal", () => {
  test("the command reads from it", async () => {
    const script = 'test -t 0 && test -t 1 && echo ready; read line < /dev/tty; echo "got $line"';
    const terminal = new Terminal(Workplace.memory(), `timmy-bb lock run x -- sh -c '${script}'`);
    await terminal.type("hello\n", "ready");
    const { exit, screen } = await terminal.end();
    expect(exit).toBe(0);
    expect(screen).toContain("got hello\n");
  });

  test("Ctrl-C reaches it once, however often it is pressed, and it may go on", async () => {
    const script = 'trap "echo caught" INT; echo ready; read a; echo "then $a"; exit 4';
    const terminal = new Terminal(Workplace.memory(), `exec timmy-bb lock run x -- bash -c '${script}'`);
    await terminal.type("\u0003", "ready");
    await terminal.type("\u0003", "caught\r\n");
    await terminal.type("end\n", "caught\r\n^Ccaught");
    const { exit, screen } = await terminal.end();
    expect(exit).toBe(4);
    expect(screen.match(/caught/g)).toHaveLength(2);
    expect(screen).toContain("then end");
  });

  test("Ctrl-C ends a shell's loop around it, as it does around any command", async () => {
    const place = Workplace.memory();
    const loop = "for n in 1 2 3; do timmy-bb lock run x -- sh -c 'echo ready; sleep 20'; done; echo after";
    const terminal = new Terminal(place, `exec bash -c "${loop}"`);
    await terminal.type("\u0003", "ready");
    const { exit, screen } = await terminal.end();
    expect(exit).toBe(130);
    expect(screen.match(/ready|after/g)).toEqual(["ready"]);
    await using board = await place.openBoard();
    expect(await board.locks.list()).toEqual([]);
  });

  test("Ctrl-C reaches a command that is in a process group of its own", async () => {
    const command = "exec timmy-bb lock run x -- timeout 20 sh -c 'echo ready; exec sleep 20'";
    const terminal = new Terminal(Workplace.memory(), command);
    const begun = performance.now();
    await terminal.type("\u0003", "ready");
    expect((await terminal.end()).exit).toBeGreaterThan(0);
    expect(performance.now() - begun).toBeLessThan(15_000);
  });

  test("Ctrl-Z stops it and us, fg brings both back", async () => {
    const place = Workplace.memory();
    const terminal = new Terminal(place, "PS1='prompt> ' bash --norc --noediting -i");
    await terminal.type("timmy-bb lock run x -- sh -c 'echo ready; read a; echo got $a'\n", "prompt> ");
    await terminal.type("\u001a", "\r\nready");
    await terminal.type("fg\n", "Stopped");
    await terminal.type("word\n", "sh -c 'echo ready; read a; echo got $a'\r\n");
    await terminal.type("exit\n", "got word");
    const { screen } = await terminal.end();
    expect(screen).toContain("got word");
  });
});
