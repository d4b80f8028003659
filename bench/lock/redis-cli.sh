#!/bin/sh
# The usual lock on a bare server: `redis-cli.sh PORT NAME COMMAND…`. It polls, gives back only what is its own, and renews nothing.
port=$1 name=$2
shift 2
token=$$-$(date +%s%N)
until [ "$(redis-cli -p "$port" SET "$name" "$token" NX PX 30000)" = OK ]; do sleep 0.01; done
"$@"
status=$?
redis-cli -p "$port" EVAL "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0" \
  1 "$name" "$token" > /dev/null
exit $status
