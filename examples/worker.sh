#!/usr/bin/env bash
# A worker with nothing but curl: begins an operation, keeps its lease, tells how far it is, stops when it is asked to, and says
# how it ended. A server: npm start. With keys: VERDICT_KEY=vk_... Run it: examples/worker.sh [STEPS]
set -euo pipefail

api="${VERDICT_URL:-http://127.0.0.1:8080}/v1/operations"
steps="${1:-3}"

# The answer on standard output, a problem included: refusals are told by their code.
call() {
  local method="$1" address="$2" body="${3:-}"
  curl --silent --show-error --request "$method" "$api$address" \
    ${VERDICT_KEY:+--header "authorization: Bearer $VERDICT_KEY"} \
    ${body:+--header 'content-type: application/json' --data "$body"}
}

# The value of a field that is a number, a word or a plain text.
field() { sed -nE "s/.*\"$1\":\"?([^\",}]*).*/\1/p"; }

# One call registers and claims. Sent again under the same key, it begins nothing twice.
begun=$(curl --silent --show-error --fail "$api" \
  ${VERDICT_KEY:+--header "authorization: Bearer $VERDICT_KEY"} \
  --header 'content-type: application/json' \
  --header "idempotency-key: ${VERDICT_REQUEST:-worker-$$-$(date +%s)}" \
  --data '{"kind":"export","name":"By curl","claim":true,"policy":{"heartbeatInterval":"1s","staleAfter":"10s"}}')
id=$(field id <<<"$begun")
lease=$(field leaseEpoch <<<"$begun")
echo "began $id"

for ((step = 1; step <= steps; step++)); do
  # Progress is a sign of life, and its answer says whether to stop: cancel reaches a worker in any language.
  told=$(call POST "/$id:progress" "{\"leaseEpoch\":$lease,\"processed\":$step,\"total\":$steps}")
  if [[ $(field cancelRequested <<<"$told") == true ]]; then
    call POST "/$id:force-cancel" "{\"leaseEpoch\":$lease,\"reason\":\"asked to\"}" >/dev/null
    echo "cancelled after $step of $steps"
    exit 0
  fi
  echo "step $step of $steps"
  sleep "${VERDICT_STEP_SECONDS:-0.2}"
done

call POST "/$id:complete" "{\"leaseEpoch\":$lease,\"result\":{\"steps\":$steps}}" >/dev/null

# Whoever waits is told as soon as it has ended; here it has.
curl --silent --show-error --fail --header 'prefer: wait=10' \
  ${VERDICT_KEY:+--header "authorization: Bearer $VERDICT_KEY"} "$api/$id/outcome"
echo
