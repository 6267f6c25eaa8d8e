#!/bin/sh
# The first hour of a new user, in the order of the README: from git clone to a record
# in a deployment. Each step checks its result and prints the seconds that it took. What
# the commands print is in first-hour.log, and is printed if a step fails.
#
#   sh first-hour.sh REPOSITORY
#
# It runs in an empty folder and uses the AWS configuration of its environment. PYTHON
# has boto3, and beside it is the AWS CLI. API, S3, KINESIS, CI_API and CI_S3 are free
# addresses of this machine. DEPLOY has arguments of `make deploy`.
set -eu

repository=$1
first=$(date +%s%N)
last=$first
pipeline=
exec 3>&1 >first-hour.log 2>&1

# finish ends what the script has started.
finish() {
  status=$?
  if [ -n "$pipeline" ]; then kill "$pipeline" || :; fi
  if [ "$status" != 0 ]; then cat "$log" >&3; fi
  exit "$status"
}
log=$PWD/first-hour.log
trap finish EXIT

# took prints the time of the step that has just ended.
took() {
  now=$(date +%s%N)
  awk -v ns="$((now - last))" -v step="$1" 'BEGIN { printf "%7.1f s  %s\n", ns / 1e9, step }' >&3
  last=$now
}

# await runs a command until it succeeds, for ten minutes at most.
await() {
  for _ in $(seq 3000); do
    if "$@"; then return; fi
    sleep 0.2
  done
  echo "waited for: $*"
  return 1
}

# status prints the status with which the API answers a record of a client.
status() { curl -s -o answer.json -w '%{http_code}' -u "$1" -d '{"from":"a client"}' "http://$API/archives/$2"; }
answers() { [ "$(status "$1" "$2")" = "$3" ]; }

git clone --quiet "$repository" data-sink
cd data-sink
took "git clone"

make run ARGS="--addr $API --s3-addr $S3 --aws-addr $KINESIS" >run.log 2>run.err &
pipeline=$!
listens() { grep -q '^  gunzip' run.log || { kill -0 "$pipeline" || { cat run.err; exit 1; }; false; }; }
await listens
took "make run builds the command and listens"

sh -c "$(sed -n 's/^  curl/curl -fsS/p' run.log)" | grep -q '"id"'
read_back() { sh -c "$(grep '^  gunzip' run.log)" | grep -q '{"hello":"world"}'; }
await read_back
took "the first record is sent and read back"

PATH="$PWD/.build:$PATH"
datasink streams add clicks
send_click() { echo '{"click":1}' | datasink send clicks; }
await send_click
datasink tail clicks --since 5m --limit 1 | grep -q '{"click":1}'
took "a second stream takes a record"

password=$(datasink credentials add checkout --streams 'orders,checkout-*' --wait 1s)
await answers "checkout:$password" orders 202
answers "checkout:$password" clicks 403
took "a second client writes to the streams of its grant only"

sed -n '/^```py$/,/^```$/p' README.md | sed "/^\`\`\`/d; s/127.0.0.1:8082/$KINESIS/" >consumer.py
"$PYTHON" consumer.py | grep -q '{"hello":"world"}'
took "a consumer in Python reads the tap"

rotated=$(datasink credentials rotate checkout --wait 1s)
await answers "checkout:$rotated" orders 202
answers "checkout:$password" orders 202
datasink credentials revoke checkout
await answers "checkout:$password" orders 401
answers "checkout:$rotated" orders 202
took "the password of the client is rotated"

datasink status
await datasink verify --tap
took "datasink verify finds every record in the archive"

kill "$pipeline"
wait "$pipeline" || : # make reports the signal
pipeline=
grep -q 'every accepted record is in the archive' run.err
took "the local pipeline stops"

API=$CI_API S3=$CI_S3 internal/cmd/datasink/ci.sh | grep -qx '{"order":1}'
took "the recipe for the CI of an application"

make deploy ARGS="--require-approval never $DEPLOY" >deploy.log 2>&1 || { cat deploy.log; exit 1; }
grep '^deployment datasink in account' deploy.log
took "make deploy"

echo '{"deployed":true}' | datasink send orders --aws
# The emulator's Firehose does not compress; with -f, gunzip copies such an object.
bucket=$(sed -n 's/^datasink\.ArchiveBucket = //p' deploy.log)
arrived() {
  "$(dirname "$PYTHON")/aws" s3 cp --recursive --quiet "s3://$bucket/orders/" archive/ &&
    find archive -type f -exec gunzip -cf {} + | grep -q '{"deployed":true}'
}
await arrived
took "a record is sent to the deployment and read back"

last=$first
took "in total"
