#!/bin/sh
# A recipe for the CI of an application that sends records: start the local pipeline,
# wait until it accepts records, send a record, read it through the S3 port, stop.
set -eu
api=${API:-127.0.0.1:8080} s3=${S3:-127.0.0.1:8081} data=$(mktemp -d)
export DATASINK_PASSWORD=secret
datasink dev --addr "$api" --s3-addr "$s3" --aws-addr "" --data "$data/pipeline" --streams "${STREAMS:-streams.json}" --flush 500ms &
pipeline=$!
trap 'kill $pipeline; wait $pipeline; rm -rf "$data"' EXIT
datasink health --url "http://$api" --wait 30s

curl -fsS -u "datasink:$DATASINK_PASSWORD" -d '{"order":1}' "http://$api/archives/orders"
echo

bucket=http://$s3/datasink-archive
for _ in $(seq 100); do
  key=$(curl -fsS "$bucket?list-type=2&prefix=orders/" | sed -n 's:.*<Key>\([^<]*\)</Key>.*:\1:p')
  [ -z "$key" ] || break
  sleep 0.2
done
curl -fsS "$bucket/$key" | gunzip -c
