/** What goes to stderr. */
import { expect, test } from "vitest";
import { Reporter } from "../../src/cli/report.ts";
import type { Sink } from "../../src/cli/sink.ts";
import { usageError } from "../../src/core/errors.ts";

test.each([false, true])(
  "what keeps the colours from being loaded keeps nothing from being said (json: %s)",
  async (json) => {
    const written: string[] = [];
    const err: Sink = {
      isTerminal: true,
      columns: 80,
      write: async (text) => void written.push(String(text)),
    };
    const style = () => Promise.reject(new Error("no chalk"));
    const reporter = new Reporter(err, { json, quiet: false, debug: false, style });
    reporter.notice("first");
    expect(reporter.error(usageError("second"))).toBe(2);
    await reporter.flushed();
    expect(written).toHaveLength(2);
    expect(written.join("")).toMatch(/first[\s\S]*second/);
  },
);
