#!/usr/bin/env bash
# Two agents and a follower coordinate over the embedded store, in a private directory that is removed at the end.
# Runs against the built command of this checkout; needs no server.
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)

board=$(mktemp -d)
export TIMMY_BB_DATA_DIR=$board TIMMY_BB_BACKEND=memory TIMMY_BB_PREFIX=demo
# A config file of whoever runs this must not decide what the demo shows.
cd "$board"
timmy-bb() { "$here/bin/timmy-bb.js" "$@"; }

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
show() {
  printf '  $ timmy-bb%s\n' "$(printf ' %q' "$@")"
  timmy-bb "$@" | sed 's/^/    /'
}

trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$board"' EXIT

say "1. A follower tails the channel 'build' (timmy-bb subscribe build --follow)"
# The program itself, not the function above: what is killed later must be it, not a shell around it.
"$here/bin/timmy-bb.js" subscribe build --follow >follower.log &
follower=$!

say "2. The worker agent waits for a job, acts on it, and answers"
(
  export TIMMY_BB_AGENT=worker
  job=$(timmy-bb subscribe jobs --wait 20s)
  timmy-bb set agent:worker:state "working on $job" --ttl 5m
  timmy-bb incr jobs:done >/dev/null
  timmy-bb set "result:$job" "all 42 tests pass" --ttl 1h
  timmy-bb publish build "$job is done" >/dev/null
) &
worker=$!

say "3. The planner agent writes its state, with a time to live, and hands out the job once somebody listens"
export TIMMY_BB_AGENT=planner
show set agent:planner:state planning --ttl 5m
until [ "$(timmy-bb channels build --json | grep -c '"followers":1')" = 1 ]; do :; done
until [ "$(timmy-bb channels jobs --json | grep -c '"followers":1')" = 1 ]; do :; done
show publish jobs release-1.4
wait "$worker"

say "4. What the board knows now: who wrote what, how large, for how long"
show keys --long
show wait result:release-1.4 --wait 20s
show get jobs:done
show ttl agent:worker:state

say "5. What the follower heard"
until [ -s follower.log ]; do :; done
sed 's/^/    /' follower.log
kill "$follower"
wait "$follower" || true # 143: it was told to stop

say "6. Who comes late reads what was said"
show subscribe build --last 5

say "7. Two workers share a queue; one is killed in the middle of its task, the other takes that over"
printf '%s\n' lint test deploy | timmy-bb publish queue --lines >/dev/null
work="$here/bin/timmy-bb.js subscribe queue --consumer team --ack-timeout 1s"
# The first worker takes a task and never ends it.
$work --count 1 -- sh -c 'echo $$ >taken; exec sleep 60' &
killed=$!
until [ -s taken ]; do :; done
kill -9 "$killed" "$(cat taken)"
wait "$killed" 2>/dev/null || true
$work --count 3 -- sh -c 'printf "    %s (attempt %s)\n" "$(cat)" "$TIMMY_BB_ATTEMPT"'

say "8. Claiming a task: one of many wins"
for agent in ada ben cleo; do
  if TIMMY_BB_AGENT=$agent timmy-bb set task:7:owner "$agent" --if-absent --quiet 2>/dev/null; then
    printf '    %s: mine\n' "$agent"
  else
    printf '    %s: exit %s, somebody else has it\n' "$agent" $?
  fi
done

say "9. Four agents count up in one plain file, each under the lock 'counter': none is lost"
echo 0 >counter
for agent in ada ben cleo dan; do
  TIMMY_BB_AGENT=$agent timmy-bb lock run counter -- sh -c 'echo $(($(cat counter) + 1)) >counter' &
done
wait
printf '    counted: %s\n' "$(cat counter)"

say "10. The namespace of the agents is cleared; the results stay"
show clear 'agent:*' --yes
show keys

say "11. What happened to the job's result, and who did it"
show history result:release-1.4
printf '\nDone. The board was one file, board.db, in a directory that is gone now.\n'
