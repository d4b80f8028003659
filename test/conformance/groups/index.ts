/** Every group of the suite. A group is a file here, its line in this list, and its name in `inventory.test.ts`. */
import type { Target } from "../target.ts";
import { changeConsumers } from "./change-consumers.ts";
import { changes } from "./changes.ts";
import { channels } from "./channels.ts";
import { clear } from "./clear.ts";
import { close } from "./close.ts";
import { conditions } from "./conditions.ts";
import { consumers } from "./consumers.ts";
import { errors } from "./errors.ts";
import { expiry } from "./expiry.ts";
import { fences } from "./fences.ts";
import { foreign } from "./foreign.ts";
import { forms } from "./forms.ts";
import { history } from "./history.ts";
import { incr } from "./incr.ts";
import { initial } from "./initial.ts";
import { keys } from "./keys.ts";
import { line } from "./line.ts";
import { locks } from "./locks.ts";
import { names } from "./names.ts";
import { pubsub } from "./pubsub.ts";
import { replay } from "./replay.ts";
import { status } from "./status.ts";
import { take } from "./take.ts";
import { values } from "./values.ts";
import { wait } from "./wait.ts";
import { watch } from "./watch.ts";

/** Registers a group's tests with vitest, for one target. */
export type Group = (target: Target) => void;

export const GROUPS: Readonly<Record<string, Group>> = {
  values,
  names,
  expiry,
  keys,
  conditions,
  take,
  incr,
  pubsub,
  replay,
  consumers,
  watch,
  changes,
  initial,
  "change-consumers": changeConsumers,
  wait,
  history,
  locks,
  line,
  fences,
  channels,
  clear,
  status,
  errors,
  foreign,
  forms,
  close,
};
