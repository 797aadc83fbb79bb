#!/bin/sh
# Tests the program's exit codes and streams, without a server. $1: the program.
set -u
program=$1
failed=0

# expect CODE PATTERN WORDS...: checks the exit code, and that stderr matches.
expect() {
  code=$1 pattern=$2
  shift 2
  output=$("$program" "$@" 2>&1 >/dev/null)
  got=$?
  if [ "$got" -ne "$code" ] || ! printf '%s\n' "$output" | grep -q "$pattern"; then
    echo "FAILED: $* exited with $got and printed: $output"
    failed=1
  fi
}

url=ws://127.0.0.1:1/socket/websocket
expect 2 '^native-bench: the scenario must be' nothing
expect 2 '^native-bench: load goes to this machine only' echo --url ws://example.com/
expect 2 '^native-bench: rate must be an integer from 1 to 10m' echo --url $url --rate 0
expect 2 '^native-bench: echo has no option --deaf; see echo --help' echo --url $url --deaf 1
expect 2 '^native-bench: protocol must be phoenix or socket.io' echo --url $url --protocol stomp
expect 1 'connect: Connection refused' echo --url $url --json --connections 1
expect 0 '^$' --help
(ulimit -n 100 && expect 2 'this process may open 100 descriptors' echo --url $url --connections 90 && exit "$failed") || failed=1
(ulimit -n 100 && expect 2 'connections must be at most 40 here' echo --url $url --connections 41 --transport longpoll && exit "$failed") || failed=1

lines=$("$program" echo --url $url --json --connections 1 2>/dev/null | wc -l)
[ "$lines" -eq 1 ] || { echo "FAILED: --json printed $lines lines"; failed=1; }

[ "$failed" -eq 0 ] && echo "native-bench: command line as described"
exit "$failed"
