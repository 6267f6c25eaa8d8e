#!/bin/sh
# Needs API_URL, DATASINK_USER and DATASINK_PASSWORD in the environment.
set -eu
answer=$(mktemp) batch=$(mktemp)
trap 'rm -f "$answer" "$batch"' EXIT

# post PATH KEY CURL-ARGUMENTS… tries again after 408, 429, 5xx and network faults.
post() {
  path=$1 key=$2
  shift 2
  for most in 0.1 0.2 0.4 0.8 1.6 0; do
    status=$(curl -sS -o "$answer" -w '%{http_code}' --max-time 10 --user "$DATASINK_USER:$DATASINK_PASSWORD" \
      -H "Idempotency-Key: $key" "$@" "$API_URL/archives/$path") || status=000
    case $status in
      202) cat "$answer"; echo; return ;;
      000 | 408 | 429 | 5??) sleep "$(awk -v most="$most" 'BEGIN { srand(); print most * rand() }')" ;;
      *) cat "$answer" >&2; return 1 ;;
    esac
  done
  echo "giving up after status $status" >&2
  return 1
}

uuid() { cat /proc/sys/kernel/random/uuid; }

# One record.
post orders "$(uuid)" -H 'Content-Type: application/json' --data-binary '{"from":"curl","n":1}'

# A batch, compressed. Use --data-binary: -d removes the newlines.
printf '{"from":"curl","n":%d}\n' 2 3 4 | gzip >"$batch"
post orders/batch "$(uuid)" -H 'Content-Type: application/octet-stream' -H 'Content-Encoding: gzip' --data-binary @"$batch"
